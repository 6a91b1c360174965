"""A picture's file, opened but not decoded, and what all decoders do with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from plumbline.errors import ImageDamaged, ImageFormatRefused
from plumbline.vision.arrays import Pixels
from plumbline.vision.color import STRIP


class File(NamedTuple):
    """A picture whose header has been read, and no more."""

    data: bytes
    header: Image.Image

    @property
    def format(self) -> str:
        """As Pillow names it; several JPEGs in one file, as telephones write them, are a JPEG."""
        name = self.header.format or "picture"
        return "JPEG" if name == "MPO" else name


def damaged(file: File) -> ImageDamaged:
    """The error for a picture whose pixels can't be decoded."""
    width, height = file.header.size
    return ImageDamaged(
        f"The {file.format} picture of {width}×{height} pixels is damaged or breaks off; "
        "send the whole file again."
    )


def load(file: File) -> Image.Image:
    """The picture with its pixels decoded by Pillow."""
    try:
        file.header.load()
    except Exception as exc:  # Pillow raises nearly anything on hostile data
        raise damaged(file) from exc
    return file.header


def unpack(file: File, colorspace: str, *, fast: bool, strict: bool = True) -> Pixels:
    """Simplejpeg's pixels; ValueError for what is damaged, if `strict` however slightly."""
    pixels: Pixels = simplejpeg.decode_jpeg(file.data, colorspace, fastdct=fast, strict=strict)
    return pixels


def convert(picture: Image.Image, mode: str) -> Pixels:
    """Convert; without its transparency, which Pillow would warn of and, but for RGBA, leave out.

    In strips, because Pillow would hold a large picture three times for NumPy to have it once.
    """
    if mode != "RGBA":
        picture.info.pop("transparency", None)
    width, height = picture.size
    rows = max(1, STRIP // width)
    pixels = np.empty((height, width, len(mode)), np.uint8)
    for top in range(0, height, rows):
        strip = converted(picture.crop((0, top, width, min(height, top + rows))), mode)
        pixels[top : top + rows] = np.asarray(strip).reshape(-1, width, len(mode))
    return pixels


def converted(picture: Image.Image, mode: str) -> Image.Image:
    """`Image.convert`. Raises `ImageFormatRefused` for colours that Pillow can't convert."""
    try:
        return picture.convert(mode)
    except (ValueError, OSError) as exc:
        raise ImageFormatRefused(
            f"The picture's colours (Pillow mode {picture.mode}) can't be converted to {mode}; "
            "save it in RGB or gray, with 8 bits a channel."
        ) from exc
