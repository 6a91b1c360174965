"""Pictures of mistakes, small enough for a report."""

from __future__ import annotations

import base64
import io

from PIL import Image

from plumbline.results.drawing.canvas import resized
from plumbline.results.png_files import png
from plumbline.vision.arrays import Pixels

SIDE = 256
TINY = 64
"""Pictures up to this side are shown pixel by pixel: JPEG would blur them."""

QUALITY = 90


def within(pixels: Pixels, side: int) -> Image.Image:
    """A picture `[height, width, 3]` uint8, no side longer; tiny ones by a whole factor larger."""
    height, width, _ = pixels.shape
    longer = max(height, width)
    factor = side / longer if longer > side else side // longer
    return resized(pixels, (max(1, round(height * factor)), max(1, round(width * factor))))


def data_uri(pixels: Pixels) -> str:
    """A picture `[height, width, 3]` uint8 as the source of an image in a page."""
    if max(pixels.shape) <= TINY:
        kind, content = "png", png(Image.fromarray(pixels))
    else:
        file = io.BytesIO()
        shrunk(pixels).save(file, "JPEG", quality=QUALITY)
        kind, content = "jpeg", file.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def shrunk(pixels: Pixels) -> Image.Image:
    """A picture, no side longer than `SIDE`, and no larger than it is."""
    return within(pixels, SIDE) if max(pixels.shape) > SIDE else Image.fromarray(pixels)
