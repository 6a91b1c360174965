"""Picture → picture of the model's size, by the very filter that training used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from PIL import Image

from plumbline.arrays import Pixels, Tensor


def pillow(pixels: Pixels, size: tuple[int, int], resample: Image.Resampling) -> Tensor:
    """Equals `PIL.Image.Image.resize((width, height), resample)` to the bit; uint8."""
    height, width = size
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    resized = np.asarray(image.resize((width, height), resample))
    return resized.reshape(height, width, pixels.shape[2])


FILTERS: Mapping[str, Callable[[Pixels, tuple[int, int]], Tensor]] = MappingProxyType(
    {
        f"pillow-{name}": partial(pillow, resample=Image.Resampling[name.upper()])
        for name in ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
    }
)
"""What `[preprocess] resize` may name."""


def resize(pixels: Pixels, size: tuple[int, int], name: str) -> Tensor:
    """The picture `[height, width, channels]` at `size` (height, width), by the filter `name`."""
    return FILTERS[name](pixels, size)
