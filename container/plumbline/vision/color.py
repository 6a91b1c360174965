"""Grey from colour, as each library rounds it: uint8 `[h, w, 3]` RGB -> uint8 `[h, w, 1]`.

All weigh red, green and blue by 0.299, 0.587 and 0.114; they differ in how they round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]
Conversion = Callable[[Bytes], Bytes]

STRIP = 100_000
"""Pixels that are converted at a time: what lies between stays in cache, and out of memory."""


def in_strips(convert: Conversion, pixels: Bytes, channels: int = 1) -> Bytes:
    """Convert some rows at a time: a large picture's floats would take four times its bytes."""
    height, width, _ = pixels.shape
    rows = max(1, STRIP // width)
    converted = np.empty((height, width, channels), np.uint8)
    for top in range(0, height, rows):
        converted[top : top + rows] = convert(pixels[top : top + rows])
    return converted


def _whole(pixels: Bytes, weights: tuple[int, int, int], bias: int) -> Bytes:
    """Weigh by whole 2**-15ths: float32 holds every sum, which stays below 2**24."""

    def weigh(strip: Bytes) -> Bytes:
        total = strip.astype(np.float32) @ np.array(weights, np.float32)
        total += np.float32(bias)
        total *= np.float32(2**-15)
        grey: Bytes = total.astype(np.uint8)
        return grey[..., None]

    return in_strips(weigh, pixels)


def _by_pillow(pixels: Bytes) -> Bytes:
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def pillow_grey(pixels: Bytes) -> Bytes:
    """`Image.convert("L")`, itself."""
    return in_strips(_by_pillow, pixels)


# What a level of red, green or blue adds, `[3, 256]`, each step rounded as TensorFlow rounds it.
LEVELS = np.arange(256, dtype=np.float32) * np.float32(1 / 255)
SHARES = np.array([[0.2989], [0.5870], [0.1140]], np.float32) * LEVELS


def _by_tensorflow(pixels: Bytes) -> Bytes:
    red, green, blue = (SHARES[channel].take(pixels[..., channel]) for channel in range(3))
    # A dot product would be free to add up in another order, or to round once less.
    grey: Bytes = ((red + green + blue) * np.float32(255.5)).astype(np.uint8)
    return grey[..., None]


def tensorflow_grey(pixels: Bytes) -> Bytes:
    """`tf.image.rgb_to_grayscale`: through float32 and back, cut off above 255.5ths."""
    return in_strips(_by_tensorflow, pixels)


def opencv_grey(pixels: Bytes) -> Bytes:
    """`cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)`: halves go up."""
    return _whole(pixels, (9798, 19235, 3735), 2**14)


def libpng_grey(pixels: Bytes) -> Bytes:
    """`tf.io.decode_png(data, channels=1)` of a coloured PNG: libpng cuts off."""
    return _whole(pixels, (9797, 19234, 3737), 0)


GREYS: Mapping[str, Conversion] = MappingProxyType(
    {"pillow": pillow_grey, "tensorflow": tensorflow_grey, "opencv": opencv_grey}
)
