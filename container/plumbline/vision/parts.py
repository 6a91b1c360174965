"""The resize filters for parts of pictures that need not be of whole pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from plumbline.vision.filter_taps import pillow_taps
from plumbline.vision.geometry import Area
from plumbline.vision.resize import FILTERS, Bytes, Resized, Resizer, Size

PartResizer = Callable[[Bytes, Size, Area], Resized]


def resizer_of_part(resizer: Resizer) -> PartResizer:
    """A filter for a part of a picture.

    Pillow's takes just that, as `Image.resize(box=…)`; of others it is rounded to whole pixels.
    """
    name = pillow_name(resizer)
    return partial(_pillow_part, name) if name else partial(_whole_part, resizer)


def pillow_name(resizer: Resizer) -> str | None:
    """What Pillow calls the filter; None if it is another library's."""
    first = resizer.args[:1] if isinstance(resizer, partial) else ()
    nearest = FILTERS["pillow-nearest"]
    if isinstance(nearest, partial) and first == nearest.args:
        return "nearest"
    return next((name for name in first if isinstance(name, str) and name in pillow_taps), None)


def _pillow_part(name: str, pixels: Bytes, size: Size, part: Area) -> Bytes:
    """`Image.resize(size, filter, box)`."""
    grey = pixels.shape[2] == 1
    picture = Image.fromarray(pixels[..., 0] if grey else pixels)
    box = (part.left, part.top, part.left + part.width, part.top + part.height)
    resized = np.asarray(picture.resize(size[::-1], Image.Resampling[name.upper()], box))
    return resized[..., None] if grey else resized


def _whole_part(resizer: Resizer, pixels: Bytes, size: Size, part: Area) -> Resized:
    left, top = round(part.left), round(part.top)
    height, width = max(1, round(part.height)), max(1, round(part.width))
    return resizer(np.ascontiguousarray(pixels[top : top + height, left : left + width]), size)
