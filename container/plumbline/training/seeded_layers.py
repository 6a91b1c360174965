"""Keras's augmentation layers, whose randomness is that of an epoch and a step and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Augment = Callable[[Any, int, int], Any]
"""Pictures, the epoch and the step → the same number of pictures."""

RANGE = (0, 255)

TYPES = ("none", "crop", "crop_color", "crop_color_transform")
"""What the built-in classifier calls kinds of augmentation; each does more than the one before."""


def of_type(kind: str) -> Iterator[Any]:
    """The layers of such a kind."""
    import keras

    layers = keras.layers
    if kind != "none":
        yield layers.RandomFlip("horizontal")
        yield layers.RandomTranslation(0.125, 0.125, fill_mode="reflect")
    if kind in ("crop_color", "crop_color_transform"):
        yield layers.RandomColorJitter(RANGE, 0.15, 0.2, (0.4, 0.6), 0.1)
    if kind == "crop_color_transform":
        yield layers.RandomRotation(10 / 360, fill_mode="reflect")
        yield layers.RandomShear(0.1, 0.1, fill_mode="reflect")
        yield layers.RandomZoom((-0.25, 0.25), (-0.25, 0.25), fill_mode="reflect")


def for_channels(layers: Iterator[Any], channels: int) -> list[Any]:
    """The layers without those that change colors, where there is one channel."""
    return [
        layer for layer in layers if channels > 1 or type(layer).__name__ != "RandomColorJitter"
    ]


def seeded(layers: Sequence[Any], seed: int) -> Augment:
    """The layers one after the other, on pictures `[n, height, width, channels]` in 0..255.

    Or on a dictionary of pictures and what moves with them, as Keras's layers take it.
    """
    import tensorflow as tf

    generators = [layer.generator for layer in layers]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def moved(batch: Any) -> Any:
        for layer in layers:
            batch = layer(batch, training=True)
        return batch

    def augment(batch: Any, epoch: int, step: int) -> Any:
        seeds = np.random.SeedSequence([seed, epoch, step]).generate_state(2 * len(generators))
        for number, generator in enumerate(generators):
            generator.state.assign(seeds[2 * number : 2 * number + 2])
        floats = tf.nest.map_structure(lambda each: tf.constant(each, tf.float32), batch)
        return tf.nest.map_structure(lambda each: each.numpy(), moved(floats))

    return augment
