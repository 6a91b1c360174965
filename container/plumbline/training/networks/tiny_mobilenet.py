"""A network of a few separable convolutions, as in MobileNet, that learns on a laptop."""

from __future__ import annotations

from typing import Any

STAGES = ((32, 2), (48, 1), (96, 2), (96, 1), (128, 2), (128, 1), (128, 2), (128, 1))
"""Filters and strides."""


def build(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    """The input and the features `[n, 128]`."""
    import keras

    inputs = keras.Input(shape)
    found = keras.layers.Conv2D(16, 3, 2, padding="same", use_bias=False)(inputs)
    found = activated(found)
    for filters, stride in STAGES:
        found = separated(found, filters, stride)
    return inputs, keras.layers.GlobalAveragePooling2D()(found)


def separated(found: Any, filters: int, stride: int = 1, name: str = "") -> Any:
    """A convolution of each channel by itself, and one of all channels pixel by pixel.

    `name` is what its layers' names begin with.
    """
    import keras

    layers = keras.layers
    first, second = (name and f"{name}{part}" for part in ("depthwise", "pointwise"))
    found = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=first or None)(
        found
    )
    found = activated(found, first)
    found = layers.Conv2D(filters, 1, use_bias=False, name=second or None)(found)
    return activated(found, second)


def activated(found: Any, name: str = "") -> Any:
    """Normalised over the batch and cut off at 6."""
    import keras

    layers = keras.layers
    norm = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm" if name else None)
    return layers.ReLU(6)(norm(found))
