"""Pixels → what a picture looks like in three numbers, for a few microseconds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from plumbline.vision.arrays import Pixels

SIDE = 32
"""So many rows and columns of a picture are looked at, evenly spread: the rest says the same."""


class Look(NamedTuple):
    """How bright a picture is, 0 (black) to 1 (white), the standard deviation of that, its size."""

    brightness: float
    contrast: float
    megapixels: float


def look(pixels: Pixels) -> Look:
    """The look of `[height, width, channels]`, uint8 or uint16; all channels but alpha alike."""
    height, width = pixels.shape[:2]
    some = pixels[:: -(-height // SIDE), :: -(-width // SIDE), :3].astype(np.float32).ravel()
    full = 255.0 if pixels.dtype == np.uint8 else 65535.0
    mean = float(some.sum()) / some.size
    variance = float(np.dot(some, some)) / some.size - mean * mean
    return Look(mean / full, max(0.0, variance) ** 0.5 / full, height * width / 1e6)
