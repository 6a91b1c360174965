"""Residual networks that keras.applications does not have: for small pictures, and the shallow two.

He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition (2015): section 4.2 for small
pictures, table 1 for large ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SMALL_DEPTHS = (20, 32, 44, 56, 110)
"""Six layers a block and two besides."""

LARGE_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def small(shape: tuple[int, int, int], depth: int) -> tuple[Any, Any]:
    """The input and the features `[n, 64]` of a network for pictures of up to 64 pixels."""
    import keras

    inputs = keras.Input(shape)
    found = activated(convolved(inputs, 16, 3, 1))
    found = stages(found, [(depth - 2) // 6] * 3, 16)
    return inputs, keras.layers.GlobalAveragePooling2D()(found)


def large(shape: tuple[int, int, int], depth: int) -> tuple[Any, Any]:
    """The same of 18 or 34 layers for larger pictures: features `[n, 512]`."""
    import keras

    inputs = keras.Input(shape)
    found = activated(convolved(inputs, 64, 7, 2))
    found = keras.layers.MaxPooling2D(3, 2, padding="same")(found)
    found = stages(found, LARGE_BLOCKS[depth], 64)
    return inputs, keras.layers.GlobalAveragePooling2D()(found)


def stages(found: Any, blocks: Sequence[int], filters: int) -> Any:
    """So many blocks a stage; each stage but the first halves the sides and doubles the filters."""
    for stage, count in enumerate(blocks):
        for number in range(count):
            strides = 2 if stage and not number else 1
            found = block(found, filters << stage, strides)
    return found


def block(found: Any, filters: int, strides: int) -> Any:
    """Two convolutions, and what went in added to what comes out."""
    import keras

    way = activated(convolved(found, filters, 3, strides))
    way = convolved(way, filters, 3, 1)
    if found.shape[-1] != filters:
        found = convolved(found, filters, 1, strides)
    return keras.layers.ReLU()(keras.layers.Add()([way, found]))


def convolved(found: Any, filters: int, size: int, strides: int) -> Any:
    """A convolution, and its normalisation over the batch."""
    import keras

    layers = keras.layers
    found = layers.Conv2D(
        filters,
        size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(found)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(found)


def activated(found: Any) -> Any:
    """What is above zero."""
    import keras

    return keras.layers.ReLU()(found)
