"""Networks for segmentation: a U-Net, and U-Nets whose encoders are networks of keras.applications.

Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation
(2015); with convolutions in steps of two in the place of pooling, and normalised over batches.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from plumbline.training.errors import HyperparameterError
from plumbline.training.networks import network_table
from plumbline.training.networks.residual_networks import activated, convolved
from plumbline.training.pretrained_weights import TOP

UNET = "unet"

FILTERS = (24, 48, 64, 96)
"""Of the encoder, each of which halves the sides."""

DECODER = (256, 128, 64, 48)
"""Of the decoder behind another network."""


class Segmenter(NamedTuple):
    """Of what pictures' sides have to be multiples, and which `normalize` their values want."""

    step: int
    normalize: str


ENCODERS = (
    "resnet50",
    "resnet101",
    "resnet152",
    "mobilenet",
    "mobilenetv2",
    "efficientnetb0",
    "efficientnetv2b0",
    "efficientnetv2s",
    "densenet121",
    "vgg16",
)
"""Networks of `network_table` whose layers halve the sides exactly."""

SEGMENTERS: Mapping[str, Segmenter] = MappingProxyType(
    {
        UNET: Segmenter(1 << len(FILTERS), "torch"),
        **{name: Segmenter(32, network_table.NETWORKS[name].normalize) for name in ENCODERS},
    }
)
"""By name; all but the first are encoders."""


def chosen(name: str) -> str:
    """The network's name as it is in the table. Raises `HyperparameterError` for another."""
    wanted = name.lower().translate(network_table.SQUEEZED)
    if wanted not in SEGMENTERS:
        near = difflib.get_close_matches(wanted, SEGMENTERS, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise HyperparameterError(
            f"There is no network {name!r} for segmentation; {meant}"
            f"There are {', '.join(SEGMENTERS)}."
        )
    return wanted


def check_size(name: str, size: tuple[int, int]) -> None:
    """Raise `HyperparameterError` if pictures of this height and width don't fit the network."""
    step = SEGMENTERS[name].step
    if any(side % step for side in size):
        near = ",".join(str(max(step, round(side / step) * step)) for side in size)
        raise HyperparameterError(
            f"size={size[0]},{size[1]} doesn't fit the network {name}, which halves sides until "
            f"they are {step} times shorter: both have to be multiples of {step}. Take size={near}."
        )


def segmenter(name: str, shape: tuple[int, int, int], classes: int) -> Any:
    """A model from `[n, height, width, channels]` to logits `[n, height, width, classes]`."""
    import keras

    inputs, found, skipped, filters = encoder(name, shape)
    for count, skip in zip(filters, skipped[::-1], strict=True):
        found = keras.layers.Concatenate()([enlarged(found, count), skip])
    logits = keras.layers.Conv2DTranspose(
        classes, 3, 2, padding="same", dtype="float32", name="logits"
    )(found)
    return keras.Model(inputs, logits, name=name)


def encoder(name: str, shape: tuple[int, int, int]) -> tuple[Any, Any, list[Any], tuple[int, ...]]:
    """Its input, its last features, those of each larger size from the largest, decoder filters."""
    import keras

    if name == UNET:
        inputs = found = keras.Input(shape)
        every = []
        for filters in FILTERS:
            found = activated(convolved(found, filters, 3, 2))
            every.append(found)
        return inputs, found, every[:-1], FILTERS[-2::-1]
    inputs, pooled = network_table.NETWORKS[name].build(shape)
    layers = keras.Model(inputs, pooled).layers
    last = {tuple(layer.output.shape[1:3]): layer.output for layer in layers[:-1]}
    sizes = [(shape[0] >> halvings, shape[1] >> halvings) for halvings in range(1, 5)]
    return inputs, layers[-1].input, [last[size] for size in sizes], DECODER


def arrays_behind(network: Any) -> int:
    """How many arrays begin anew where the network's weights are another's: its last layers'.

    Those of the last layer of a U-Net, else all that is behind the encoder.
    """
    if network.name == UNET:
        return TOP
    kinds = [type(layer).__name__ for layer in network.layers]
    behind = network.layers[kinds.index("Conv2DTranspose") :]
    return sum(len(layer.weights) for layer in behind)


def enlarged(found: Any, filters: int) -> Any:
    """Twice as high and wide."""
    import keras

    layers = keras.layers
    found = layers.Conv2DTranspose(filters, 3, 2, padding="same", use_bias=False)(found)
    return activated(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(found))
