"""A picture at a size to draw on: small ones enlarged, large ones shrunk."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plumbline.results.task_results import Color
from plumbline.vision.arrays import Pixels
from plumbline.vision.geometry import Boxes, Size
from plumbline.vision.masks import Mask

LONGEST = 2048
"""No side of a picture is drawn longer: it would take long to draw and to send."""

READABLE = 512
"""Smaller pictures are enlarged by a whole factor, to about this on their longer side."""

THINNEST = 16
"""A picture of one row of pixels is drawn so high, or nobody would see it."""

NARROWEST, LOWEST = 240, 48
"""A canvas is at least so wide and so high: text needs it."""

BAND = 64
"""Rows that are resized at a time: Pillow makes a copy of what it resizes, a third larger."""

GROUND: Color = (27, 30, 36)
"""What is around a picture."""


@dataclass(frozen=True)
class Canvas:
    """An RGB `image` on which a picture of the size `source` lies at `left`, `top`."""

    image: Image.Image
    left: int
    top: int
    size: Size
    source: Size

    @classmethod
    def of(cls, pixels: Pixels) -> Canvas:
        """A canvas for a picture `[height, width, 3]` uint8."""
        source = pixels.shape[0], pixels.shape[1]
        size = height, width = drawn_size(source)
        full_width, full_height = max(width, NARROWEST), max(height, LOWEST)
        left, top = (full_width - width) // 2, (full_height - height) // 2
        image = Image.new("RGB", (full_width, full_height), GROUND)
        image.paste(resized(pixels, size), (left, top))
        return cls(image, left, top, size, source)

    @property
    def text_size(self) -> int:
        """The height of an em: it grows with the picture, and stays readable."""
        return min(40, max(13, round(math.sqrt(self.image.width * self.image.height) / 38)))

    def boxes(self, boxes: Boxes) -> NDArray[np.intp]:
        """Boxes `[n, 4]` of the picture, in whole pixels of the image."""
        scale = np.divide(self.size, self.source)[::-1]
        corners = np.nan_to_num(boxes).reshape(-1, 2) * scale + (self.left, self.top)
        return np.rint(corners).astype(np.intp).reshape(-1, 4)

    def mask(self, mask: Mask) -> Mask:
        """A mask of the picture, at the size at which the picture is drawn; the nearest pixel's."""
        rows, columns = (
            (np.arange(target) * 2 + 1) * length // (2 * target)
            for target, length in zip(self.size, self.source, strict=True)
        )
        return mask[rows[:, None], columns]

    def above(self, panel: Image.Image) -> Image.Image:
        """The image with a panel of the same width below it."""
        width, height = self.image.size
        image = Image.new("RGB", (width, height + panel.height), GROUND)
        image.paste(self.image)
        image.paste(panel, (0, height))
        return image


def drawn_size(source: Size) -> Size:
    """The size at which a picture of the size `source` is drawn."""
    longer = max(source)
    factor = LONGEST / longer if longer > LONGEST else max(1, round(READABLE / longer))
    height, width = (max(THINNEST, round(length * factor)) for length in source)
    return height, width


def resized(pixels: Pixels, size: Size) -> Image.Image:
    """`Image.resize` by `Image.Resampling.BOX`, which copies pixels where it enlarges.

    In bands, so that a picture of 48 megapixels takes no more memory than it does.
    """
    height, width = size
    step = len(pixels) / height
    image = Image.new("RGB", (width, height))
    for top in range(0, height, BAND):
        bottom = min(height, top + BAND)
        first, last = math.floor(top * step), min(len(pixels), math.ceil(bottom * step))
        box = (0, top * step - first, pixels.shape[1], min(bottom * step, last) - first)
        band = Image.fromarray(pixels[first:last])
        image.paste(band.resize((width, bottom - top), Image.Resampling.BOX, box), (0, top))
    return image
