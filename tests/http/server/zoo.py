"""Pictures of all formats: odd ones that are right, and what becomes of them when they break."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

SIZES = [(1, 1), (1, 300), (300, 1), (37, 23)]
ORIENTATION = 0x0112

WRITTEN: list[tuple[str, str, dict[str, Any]]] = [
    ("JPEG", "L", {}),
    ("JPEG", "RGB", {"quality": 1}),
    ("JPEG", "RGB", {"quality": 100, "subsampling": 0}),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 2}),
    ("JPEG", "RGB", {"icc_profile": b"not a profile", "comment": b"\xff\xd8\xff"}),
    ("JPEG", "RGB", {"restart_marker_blocks": 1}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "YCbCr", {"optimize": True}),
    ("PNG", "1", {}),
    ("PNG", "L", {"bits": 2}),
    ("PNG", "LA", {}),
    ("PNG", "P", {"bits": 4}),
    ("PNG", "P", {"transparency": 0}),
    ("PNG", "RGB", {"transparency": (0, 0, 0)}),
    ("PNG", "RGBA", {"compress_level": 0}),
    ("WEBP", "RGB", {"quality": 1}),
    ("WEBP", "RGB", {"lossless": True}),
    ("WEBP", "RGBA", {"lossless": True, "exact": True}),
    ("WEBP", "RGBA", {"alpha_quality": 1}),
    ("GIF", "L", {}),
    ("GIF", "P", {"interlace": 0}),
    ("GIF", "P", {"transparency": 1}),
    ("GIF", "1", {"comment": b"x" * 1000}),
    ("BMP", "1", {}),
    ("BMP", "L", {}),
    ("BMP", "P", {}),
    ("BMP", "RGB", {}),
    ("BMP", "RGBA", {}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "1", {"compression": "group3"}),
    ("TIFF", "L", {"compression": "packbits"}),
    ("TIFF", "P", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "RGBA", {"compression": "tiff_deflate"}),
    ("TIFF", "CMYK", {}),
    ("TIFF", "LAB", {}),
]
"""Format, mode and how it is saved."""

SEVERAL = [("GIF", {}), ("WEBP", {}), ("TIFF", {}), ("PNG", {}), ("MPO", {})]
"""Formats of several frames."""


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    """A picture in which no two neighbours are equal, for long."""
    values = np.random.default_rng(11).integers(0, 256, (size[1], size[0], 4), np.uint8)
    if mode == "LAB":
        return Image.frombytes("LAB", size, values[..., :3].tobytes())
    return Image.fromarray(values[..., :3]).convert(mode)


def save(image: Image.Image, form: str, **options: Any) -> bytes:
    """The file."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def good() -> Iterator[tuple[str, bytes]]:
    """Pictures that must be answered."""
    for form, mode, options in WRITTEN:
        for size in SIZES:
            name = f"{form} {mode} {size[0]}x{size[1]} {options}"
            yield name, save(noise(mode, size), form, **options)
    for form, options in SEVERAL:
        frames = [noise("RGB", (20, 30)).rotate(angle) for angle in (0, 90, 180)]
        yield (
            f"{form} of 3",
            save(frames[0], form, save_all=True, append_images=frames[1:], **options),
        )
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        for orientation in (0, 6, 9, 65535):
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            yield f"{form} turned by {orientation}", save(noise("RGB", (31, 17)), form, exif=exif)
    for form in ("JPEG", "PNG", "GIF", "WEBP", "BMP"):
        yield f"{form} and more", save(noise("RGB", (31, 17)), form) + b"what follows" * 100


def broken(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Every third cut off, overwritten, twisted, and with numbers that lie about its size."""
    for name, data in [*files.items()][::3]:
        chance = random.Random(name)
        for kept in (0.05, 0.4, 0.95):
            yield f"{name} cut to {kept}", data[: int(len(data) * kept)]
        for number in range(3):
            yield f"{name} twisted {number}", twisted(data, chance)
        at = chance.randrange(4, min(len(data) - 4, 64))
        yield f"{name} lies at {at}", data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :]
        yield f"{name} is nothing at {at}", data[:at] + bytes(4) + data[at + 4 :]


def twisted(data: bytes, chance: random.Random) -> bytes:
    """The file with a few of its bytes changed, anywhere behind its signature."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(2, len(mutant))
        mutant[at : at + chance.randint(1, 8)] = chance.randbytes(chance.randint(0, 8))
    return bytes(mutant)


def monsters() -> Iterator[tuple[str, bytes]]:
    """Small files that ask for much."""
    for side in (20_000, 2**16 - 1, 2**31 - 1):
        yield f"PNG of {side}", png_header(side)
        yield f"BMP of {side}", bmp_header(side, side)
        yield f"BMP of {side} upside down", bmp_header(side, -side)
        yield f"TIFF of {side}", tiff(side, side, 1)
    yield "BMP of nothing", bmp_header(0, 0)
    yield "TIFF of nothing", tiff(0, 0, 1)
    yield "TIFF whose end is its beginning", tiff(8, 8, 1, following=8)
    yield "TIFF of 60,000 samples", tiff(8, 8, 60_000)
    yield (
        "GIF on a large screen",
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6) + b";",
    )
    yield "JPEG of segments without end", b"\xff\xd8" + b"\xff\xe1\xff\xff" * 50_000
    yield "PNG of chunks without end", b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"a\0b") * 20_000
    yield (
        "WebP that says it is large",
        b"RIFF\xff\xff\xff\x7fWEBPVP8L\xff\xff\xff\x7f/" + b"\xff" * 40,
    )


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(side: int) -> bytes:
    """A PNG that says it is so large."""
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    packed = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed)


def bmp_header(width: int, height: int) -> bytes:
    """A BMP that says so."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header + bytes(1000)


def tiff(width: int, height: int, samples: int, following: int = 0) -> bytes:
    """A TIFF of one strip; `following` is where the next picture is."""
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 300),
        (277, samples),
        (278, height),
        (279, width * height * samples % 2**32),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following)
    return head.ljust(300, b"\0") + bytes(1000)
