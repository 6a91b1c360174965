"""Pictures moved, turned and tinted at random, by Keras's layers, the same for an epoch and step.

They work on pictures that are decoded and resized, `[n, height, width, channels]` in 0..255, before
they are normalised. Validation, and what is served, know nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline.training.hyperparameters import Values
from plumbline.training.seeded_layers import Augment, for_channels, of_type, seeded


def layers_of(values: Values) -> Iterator[Any]:
    """The layers that a job asks for."""
    import keras

    layers = keras.layers
    yield from of_type(values["augmentation_type"])
    if values["augmentation"]:
        if values["augmentation_random_flip"] != "none":
            yield layers.RandomFlip(values["augmentation_random_flip"])
        if values["augmentation_random_rotation"]:
            yield layers.RandomRotation(values["augmentation_random_rotation"])
        if values["augmentation_random_zoom"]:
            yield layers.RandomZoom(values["augmentation_random_zoom"])


def augmentation(values: Values, channels: int) -> Augment | None:
    """What a job asks for; None for nothing. Color is left alone where there is one channel."""
    layers = for_channels(layers_of(values), channels)
    return seeded(layers, values["seed"]) if layers else None
