"""Picture files of every kind that the decoders are compared on."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from corpus import photographs

Size = tuple[int, int]
JPEG_SIZES: tuple[Size, ...] = ((213, 320), (107, 161), (9, 17), (200, 3), (1, 1))
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:1:1")
RARE = ((4, 2), (2, 4), (3, 1), (1, 3), (4, 4))
"""Pixels across and down for a sample of colour; 4x2 is 4:1:0."""

ORIENTATION = 0x0112


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file, by Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def photograph(size: Size) -> Image.Image:
    """A real photograph in some size, (height, width)."""
    return Image.fromarray(photographs()["china"]).resize((size[1], size[0]))


def turned(orientation: int) -> Image.Exif:
    """EXIF notes that say how the camera was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def alpha(size: Size) -> NDArray[np.uint8]:
    """A channel of transparency, `[*size, 1]`."""
    shade: NDArray[np.intp] = np.indices(size).sum(axis=0)
    return shade.astype(np.uint8)[..., None]


def four_inks(size: Size) -> NDArray[np.uint8]:
    """A photograph with black ink in it, which Pillow's own conversion leaves out."""
    inks = np.array(photograph(size).convert("CMYK"))
    inks[..., 3:] = alpha(size)
    return inks


def without_adobe(jpeg: bytes) -> bytes:
    """Cut APP14 out, which says that the inks are inverted."""
    start = jpeg.index(b"\xff\xee")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[:start] + jpeg[start + 2 + length :]


def with_strays(jpeg: bytes) -> bytes:
    """Put bytes that mean nothing in front of a table."""
    start = jpeg.index(b"\xff\xdb")
    return jpeg[:start] + b"\0\1junk" + jpeg[start:]


def sampled(picture: Image.Image, across: int, down: int) -> bytes:
    """A JPEG with a sample of colour for so many pixels, a scan for each component.

    Put together of three gray ones, as Pillow writes few ways of sampling.
    """
    width, height = picture.size
    small = -(-width // across), -(-height // down)
    bands = picture.convert("YCbCr").split()
    parts = [encode(bands[0], "JPEG"), *(encode(band.resize(small), "JPEG") for band in bands[1:])]
    tables = parts[0][parts[0].index(b"\xff\xdb") : parts[0].index(b"\xff\xc0")]
    codes = parts[0][parts[0].index(b"\xff\xc4") : parts[0].index(b"\xff\xda")]
    frame = struct.pack(">HHBHHB", 0xFFC0, 17, 8, height, width, 3)
    frame += bytes([1, across << 4 | down, 0, 2, 0x11, 0, 3, 0x11, 0])
    scans = (
        struct.pack(">HHBBBBBB", 0xFFDA, 8, 1, number, 0, 0, 63, 0)
        + part[part.index(b"\xff\xda") + 10 : -2]
        for number, part in enumerate(parts, start=1)
    )
    return b"\xff\xd8" + tables + frame + codes + b"".join(scans) + b"\xff\xd9"


@cache
def jpegs() -> dict[str, bytes]:
    """JPEGs: subsamplings, odd sizes, progressive, gray, inks, EXIF, restart markers."""
    made = {
        f"{size} {sampling}": encode(photograph(size), "JPEG", subsampling=sampling, quality=88)
        for size in JPEG_SIZES
        for sampling in SUBSAMPLINGS
    }
    size = (107, 161)
    picture, inks = photograph(size), four_inks(size)
    cmyk = encode(Image.fromarray(inks, "CMYK"), "JPEG")
    return made | {
        "progressive": encode(picture, "JPEG", progressive=True),
        "best": encode(picture, "JPEG", quality=100),
        "poor": encode(picture, "JPEG", quality=20),
        "rgb": encode(picture, "JPEG", keep_rgb=True),
        "gray": encode(picture.convert("L"), "JPEG"),
        "cmyk": cmyk,
        "cmyk not Adobe's": without_adobe(cmyk),
        "ycck": simplejpeg.encode_jpeg(inks, colorspace="CMYK"),
        "turned": encode(picture, "JPEG", exif=turned(6)),
        "restarts": encode(picture, "JPEG", restart_marker_rows=1),
        "trailing": encode(picture, "JPEG") + b"trailing",
        "strays between segments": with_strays(encode(picture, "JPEG")),
        **{f"sampled {h}x{v}": sampled(picture, h, v) for h, v in RARE},
        "two in one": encode(picture, "MPO", save_all=True, append_images=[picture]),
    }


def bitfields(layered: Image.Image) -> bytes:
    """A BMP of 32 bits whose masks say that alpha comes first, and red last."""
    width, height = layered.size
    pixels = np.asarray(layered)[::-1, :, ::-1].tobytes()
    masks = struct.pack("<3I", 0xFF000000, 0xFF0000, 0xFF00)
    told = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 3, len(pixels), 1, 1, 0, 0)
    start = 14 + len(told) + len(masks)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + told + masks + pixels


@cache
def others() -> dict[str, bytes]:
    """PNG, BMP, GIF and WebP pictures that TensorFlow decodes."""
    size = (61, 97)
    picture = photograph(size)
    deep = (np.arange(61 * 97).reshape(size) * 11 % 65536).astype(np.uint16)
    layered = Image.fromarray(np.dstack([np.asarray(picture), alpha(size)]))
    palette = picture.quantize(100)
    return {
        "png": encode(picture, "PNG"),
        "png turned": encode(picture, "PNG", exif=turned(5)),
        "png alpha": encode(layered, "PNG"),
        "png gray": encode(picture.convert("L"), "PNG"),
        "png gray alpha": encode(layered.convert("LA"), "PNG"),
        "png 1 bit": encode(picture.convert("1"), "PNG"),
        "png palette": encode(palette, "PNG"),
        "png 4 bits": encode(picture.quantize(16), "PNG"),
        "png palette alpha": encode(palette, "PNG", transparency=bytes(range(100))),
        "png colour key": encode(picture, "PNG", transparency=(10, 20, 30)),
        "png 16 bits": encode(Image.fromarray(deep), "PNG"),
        "png gray of 2 bits": encode(picture.convert("L"), "PNG", bits=2),
        "png gray key": encode(picture.convert("L"), "PNG", transparency=77),
        "bmp": encode(picture, "BMP"),
        "bmp masks": bitfields(layered),
        "bmp gray": encode(picture.convert("L"), "BMP"),
        "bmp palette": encode(palette, "BMP"),
        "bmp alpha": encode(layered, "BMP"),
        "gif": encode(palette, "GIF"),
        "gif gray": encode(picture.convert("L"), "GIF"),
        "gif transparent": encode(palette, "GIF", transparency=5),
        "gif moving": encode(palette, "GIF", save_all=True, append_images=[picture.quantize(9)]),
        "webp": encode(picture, "WEBP"),
        "webp lossless": encode(picture, "WEBP", lossless=True),
    }


@cache
def blemished() -> dict[str, bytes]:
    """JPEGs that are damaged a little, so that libraries warn and decode them all the same."""
    made = {}
    for name in ("(107, 161) 4:2:0", "gray", "cmyk", "progressive"):
        data = jpegs()[name]
        middle, end = len(data) * 3 // 4, len(data) - 2
        made[name] = data[:middle] + bytes(range(8)) + data[middle:end] + bytes(8) + data[end:]
    return made


@cache
def broken() -> dict[str, bytes]:
    """What no library takes for a whole picture."""
    picture = photograph((61, 97))
    return {
        "text": b"not a picture",
        "empty": b"",
        "truncated": encode(picture, "JPEG")[:-200],
        "headless": encode(picture, "JPEG")[:40],
        "truncated png": encode(picture, "PNG")[:-2000],
    }


@cache
def refused() -> dict[str, bytes]:
    """Whole pictures that TensorFlow refuses, and Pillow does not."""
    picture = photograph((61, 97))
    layered = Image.fromarray(np.dstack([np.asarray(picture), alpha((61, 97))]))
    return {
        "bmp 1 bit": encode(picture.convert("1"), "BMP"),
        "bmp and more": encode(picture, "BMP") + b"more",
        "webp alpha": encode(layered, "WEBP"),
        "tiff": encode(picture, "TIFF"),
    }
