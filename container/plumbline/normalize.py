"""Pixel values → the range that the model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from plumbline.arrays import Tensor


def unit(pixels: Tensor) -> Tensor:
    """0..255 → 0..1, by a float32 division as `array / 255` in NumPy and TensorFlow."""
    return np.asarray(pixels, np.float32) / np.float32(255)


def tf(pixels: Tensor) -> Tensor:
    """0..255 → -1..1, as `keras.applications.*.preprocess_input` in its mode "tf"."""
    return np.asarray(pixels, np.float32) / np.float32(127.5) - np.float32(1)


def none(pixels: Tensor) -> Tensor:
    """0..255, as decoded."""
    return pixels


NORMALIZATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"none": none, "unit": unit, "tf": tf}
)
"""What `[preprocess] normalize` may name."""
