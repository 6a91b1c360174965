"""What a TIFF is made of, for those that Pillow can't open."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType

from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    IMAGELENGTH,
    IMAGEWIDTH,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    ImageFileDirectory_v2,
)

NUMBERS: Mapping[int, str] = MappingProxyType({2: "with a sign", 3: "floating point", 5: "complex"})
"""What samples are, other than plain whole numbers."""

COMPRESSIONS: Mapping[int, str] = MappingProxyType(
    {
        1: "uncompressed",
        5: "LZW",
        6: "old JPEG",
        7: "JPEG",
        8: "Deflate",
        32773: "PackBits",
        32946: "Deflate",
        34712: "JPEG 2000",
        33003: "JPEG 2000",
        33005: "JPEG 2000",
        34887: "LERC",
        34892: "JPEG",
        34925: "LZMA",
        50000: "Zstandard",
        50001: "WebP",
        50002: "JPEG XL",
        52546: "JPEG XL",
    }
)

BIG = b"+"
"""What the version of a BigTIFF is, whose header is longer."""


def told(data: bytes) -> str:
    """How many channels of which numbers, and the compression; "" where that can't be read."""
    try:
        stream = io.BytesIO(data)
        tags = ImageFileDirectory_v2(stream.read(16 if BIG in data[2:4] else 8))
        stream.seek(tags.next)
        tags.load(stream)
        bits = tags.get(BITSPERSAMPLE, (1,))
        width, height = int(tags[IMAGEWIDTH]), int(tags[IMAGELENGTH])
        channels = int(tags.get(SAMPLESPERPIXEL, 1))
        kinds = sorted({NUMBERS.get(kind, "") for kind in tags.get(SAMPLEFORMAT, (1,))} - {""})
        method = int(tags.get(COMPRESSION, 1))
    except Exception:  # Pillow raises nearly anything on hostile headers
        return ""
    each = " and ".join(map(str, sorted(set(bits))))
    numbers = f"{channels} channel{'s' * (channels > 1)} of {each} bits"
    compression = COMPRESSIONS.get(method, f"compression {method}")
    return ", ".join([f"{width}×{height} pixels", numbers, *kinds, compression])
