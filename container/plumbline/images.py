"""Bytes → picture, within limits that are checked before any pixel is decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from plumbline.arrays import Pixels
from plumbline.errors import (
    EmptyBody,
    ImageDamaged,
    ImageError,
    ImageFormatRefused,
    ImageTooLarge,
    NotAnImage,
)

# Pillow would refuse large pictures by its own, undocumented measure; `Limits` is ours.
Image.MAX_IMAGE_PIXELS = None

MODES = {"rgb": "RGB", "bgr": "RGB", "gray": "L"}
"""The Pillow mode a picture is converted to, by the colour order the model wants."""

DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""More than 8 bits a channel: Pillow's own conversion would clip them to white."""

SIGNATURES = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip-compressed data",
    b"\x93NUMPY": "a NumPy array",
    b"/9j/": "a JPEG picture in base64",
    b"iVBORw0KGgo": "a PNG picture in base64",
    b"data:": "a data URL",
    b"{": "JSON",
    b"[": "JSON",
    b"<": "HTML or XML",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


@dataclass(frozen=True)
class Limits:
    """What a picture may be: `pixels` in all, the longest `side`, `formats` by Pillow's names."""

    pixels: int = 50_331_648
    side: int = 16_384
    formats: tuple[str, ...] = ("JPEG", "PNG")


def decode(data: bytes, *, color: str, exif: bool, limits: Limits) -> Pixels:
    """A picture as `[height, width, channels]` uint8, equal to Pillow's `Image.convert`.

    `color` is one of `MODES`; with `exif` the picture is turned upright first, as
    `PIL.ImageOps.exif_transpose` does. Raises an `ImageError` that says what is wrong.
    """
    image = open_within(data, limits)
    refuse_deep(image)
    image = load(image, exif=exif)
    if image.mode != MODES[color]:
        image = image.convert(MODES[color])
    pixels = np.asarray(image)
    if color == "gray":
        return pixels[:, :, np.newaxis]
    return pixels[:, :, ::-1] if color == "bgr" else pixels


def open_within(data: bytes, limits: Limits) -> Image.Image:
    """The picture with only its header read; refused if the header breaks a limit."""
    if not data:
        raise EmptyBody("The body is empty; send the bytes of a picture.")
    try:
        image = Image.open(io.BytesIO(data), formats=limits.formats)
    except Exception as exc:  # Pillow raises nearly anything on hostile headers
        raise not_readable(data, limits) from exc
    width, height = image.size
    if max(width, height) > limits.side:
        raise ImageTooLarge(
            f"The picture is {width}×{height} pixels; "
            f"the longest side may be {limits.side}. Send a smaller one."
        )
    if width * height > limits.pixels:
        raise ImageTooLarge(
            f"The picture is {width}×{height} = {width * height:,} pixels; "
            f"at most {limits.pixels:,} are decoded. Send a smaller one."
        )
    return image


def not_readable(data: bytes, limits: Limits) -> ImageError:
    """The error for bytes that Pillow does not open under the allowed formats."""
    what, allowed = describe(data), " or ".join(limits.formats)
    if not what.endswith("picture"):
        return NotAnImage(
            f"The body is not a picture: it is {what}. "
            f"Send the bytes of a {allowed} file as they are."
        )
    if what.split()[1] in limits.formats:
        return ImageDamaged(f"The body is {what} whose header is damaged; send the whole file.")
    return ImageFormatRefused(f"The body is {what}; this server takes {allowed}. Convert it first.")


def describe(data: bytes) -> str:
    """What the first bytes look like, in words."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WEBP picture"
    if data[4:8] == b"ftyp":
        return "a HEIF picture" if data[8:11] in (b"hei", b"mif") else "a video"
    for signature, name in SIGNATURES.items():
        if data.lstrip().startswith(signature):
            return name
    return f"{len(data)} bytes that begin with {data[:8].hex(' ')}"


def refuse_deep(image: Image.Image) -> None:
    """Refuse what Pillow's conversion to 8 bits would silently turn white."""
    if image.mode in DEEP_MODES:
        raise ImageFormatRefused(
            f"The picture has more than 8 bits a channel (Pillow mode {image.mode}), "
            "which would be clipped to white. Convert it to 8 bits a channel first."
        )


def load(image: Image.Image, *, exif: bool) -> Image.Image:
    """The picture with its pixels decoded, upright if `exif` says so."""
    try:
        image.load()
        return ImageOps.exif_transpose(image) if exif else image
    except Exception as exc:  # Pillow raises nearly anything on hostile data
        raise ImageDamaged(
            f"The {image.format} picture of {image.width}×{image.height} pixels is damaged or "
            "breaks off; send the whole file again."
        ) from exc
