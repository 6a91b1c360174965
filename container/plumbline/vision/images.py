"""Bytes → picture, within limits that are checked before any pixel is decoded."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from PIL import Image

from plumbline.errors import (
    EmptyBody,
    ImageDamaged,
    ImageError,
    ImageFormatRefused,
    ImageTooLarge,
    NotAnImage,
    RequestError,
)
from plumbline.vision import tiff_headers
from plumbline.vision.arrays import Pixels
from plumbline.vision.color import STRIP, opencv_grey, tensorflow_grey
from plumbline.vision.decoders import DECODERS, deep_gray
from plumbline.vision.geometry import TURNS, upright
from plumbline.vision.picture_files import File

# Pillow would refuse large pictures by its own, undocumented measure; `Limits` is ours.
Image.MAX_IMAGE_PIXELS = None

ORIENTATION = 0x0112
UPRIGHT = 1


def as_decoded(pixels: Pixels) -> Pixels:
    """The pixels themselves."""
    return pixels


def blue_first(pixels: Pixels) -> Pixels:
    """RGB → BGR, as OpenCV has its pictures; in place, as a large one should not be there twice."""
    rows = max(1, STRIP // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows]
        red = strip[:, :, 0].copy()
        strip[:, :, 0] = strip[:, :, 2]
        strip[:, :, 2] = red
    return pixels


DEEP = "gray16"

DEEP_FILTERS = ("pillow-", "tensorflow-")
"""How the filters begin that resize 16 bits."""

COLORS: Mapping[str, tuple[int, Callable[[Pixels], Pixels]]] = MappingProxyType(
    {
        "rgb": (3, as_decoded),
        "rgba": (4, as_decoded),
        "bgr": (3, blue_first),
        "gray": (1, as_decoded),
        DEEP: (1, as_decoded),
        "tensorflow-gray": (3, tensorflow_grey),
        "opencv-gray": (3, opencv_grey),
    }
)
"""What `[preprocess] color` may name: the channels that are decoded, and what is made of them.

"gray" is the decoder's own, and so is "gray16", which keeps 16 bits; the others are
`tf.image.rgb_to_grayscale` and `cv2.cvtColor`.
"""

CHANNELS: Mapping[str, int] = MappingProxyType(
    {color: 1 if "gray" in color else channels for color, (channels, _) in COLORS.items()}
)
"""How many channels pictures of each of these have in the end."""

SIGNATURES = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
    b"II+\x00": "a TIFF picture",
    b"MM\x00+": "a TIFF picture",
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


BRANDS = {
    b"avi": "an AVIF picture",
    **dict.fromkeys((b"hei", b"hev", b"mif", b"msf"), "a HEIF picture"),
}
"""How the brand of a file that is made of ISO's boxes begins; others are videos'."""

MOST_SCANS = 100
"""Of a JPEG. Programs write about ten; each may take as long as decoding the whole picture."""

START_OF_SCAN, END_OF_IMAGE = b"\xda", b"\xd9"

MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
"""What begins a JPEG's segment; the codes left out stand alone, or inside of pixels' data."""

HEAVY: Mapping[str, int] = MappingProxyType({"WEBP": 2, "AVIF": 2, "HEIF": 2})
"""Formats of which fewer pixels are decoded, by what they take of others' memory.

libwebp keeps two canvases, in case that the picture moves; the planes of libavif and libheif are
there at the same time as Pillow's pixels.
"""

OPTIONAL_FORMATS = ("AVIF", "HEIF")
"""Formats that are decoded only where a setting names them: their decoders are young.

HEIF's is not Pillow's own but pillow-heif, which is installed by whoever wants it.
"""


@cache
def know_heif() -> None:
    """Let Pillow open HEIF files, by pillow-heif."""
    from pillow_heif import register_heif_opener

    register_heif_opener()


@dataclass(frozen=True)
class Limits:
    """What a picture may be: `pixels` in all, the longest `side`, `formats` by Pillow's names."""

    pixels: int = 50_331_648
    side: int = 16_384
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


ADVICE = " Or let whoever runs the server name its format in PLUMBLINE_IMAGE_FORMATS, too."


class Picture(NamedTuple):
    """Upright pixels `[height, width, channels]`, and EXIF's orientation before that."""

    pixels: Pixels
    orientation: int = UPRIGHT


def decode(
    data: bytes, *, color: str, exif: bool, limits: Limits, decoder: str = "pillow"
) -> Pixels:
    """A picture as `[height, width, channels]` uint8, equal to what the library named gives.

    See `read_picture`.
    """
    return read_picture(data, color=color, exif=exif, limits=limits, decoder=decoder).pixels


def read_picture(
    data: bytes, *, color: str, exif: bool, limits: Limits, decoder: str = "pillow"
) -> Picture:
    """A picture's pixels, and how they were turned.

    `decoder` is one of `DECODERS`, `color` one of `COLORS`; with `exif` the picture is turned
    upright, as `PIL.ImageOps.exif_transpose` does. Raises an `ImageError` that says what is wrong.
    """
    file = File(data, open_within(data, limits))
    channels, arrange = COLORS[color]
    deep = color == DEEP
    pixels = deep_gray(file, decoder) if deep else arrange(DECODERS[decoder](file, channels))
    # Not before: Pillow turns TIFFs itself when it loads them, and strikes the note out.
    orientation = orientation_of(file) if exif else UPRIGHT
    return Picture(upright(pixels, orientation), orientation)


def to_draw_on(data: bytes, *, color: str, exif: bool, limits: Limits) -> Pixels:
    """A picture in RGB, for the eye; of 16 bits of gray the upper eight."""
    if color != DEEP:
        return decode(data, color="rgb", exif=exif, limits=limits)
    deep = decode(data, color=DEEP, exif=exif, limits=limits)
    return (deep >> 8).astype(np.uint8).repeat(3, axis=2)


def orientation_of(file: File) -> int:
    """EXIF's orientation, 1 to 8; upright where there is none, or none that means anything."""
    try:
        value = file.header.getexif().get(ORIENTATION, UPRIGHT)
    except Exception:  # damaged notes are no reason to refuse the picture
        return UPRIGHT
    return value if value in TURNS else UPRIGHT


def open_within(data: bytes, limits: Limits) -> Image.Image:
    """The picture with only its header read; refused if the header breaks a limit."""
    if not data:
        raise EmptyBody("The body is empty; send the bytes of a picture.")
    if "HEIF" in limits.formats:
        know_heif()
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
    most = limits.pixels // HEAVY.get(image.format or "", 1)
    if width * height > most:
        raise ImageTooLarge(
            f"The picture is {width}×{height} = {width * height:,} pixels; "
            f"at most {most:,} are decoded. Send a smaller one."
        )
    if image.format in ("JPEG", "MPO") and has_many_scans(data):
        raise ImageDamaged(
            f"The body is a JPEG picture of more than {MOST_SCANS} scans, which no program writes; "
            "save it again."
        )
    return image


def pixels_in(data: bytes, limits: Limits) -> int:
    """How many pixels the picture's header says; 0 for what is none, or is refused."""
    try:
        width, height = open_within(data, limits).size
    except RequestError:
        return 0
    return width * height


def has_many_scans(data: bytes) -> bool:
    """Whether a JPEG, up to its end, has more scans than any that is meant to be looked at."""
    if data.count(b"\xff" + START_OF_SCAN) <= MOST_SCANS:
        return False
    at, scans = 2, 0  # behind the mark that the picture begins
    while scans <= MOST_SCANS and (marker := MARKER.search(data, at)):
        if marker[1] == END_OF_IMAGE:
            break
        scans += marker[1] == START_OF_SCAN
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans > MOST_SCANS


def not_readable(data: bytes, limits: Limits) -> ImageError:
    """The error for bytes that Pillow does not open under the allowed formats."""
    what, allowed = describe(data), alternatives(limits.formats)
    if not what.endswith("picture"):
        return NotAnImage(
            f"The body is not a picture: it is {what}. "
            f"Send the bytes of a {allowed} file as they are."
        )
    if what.split()[1] in limits.formats:
        if what == "a TIFF picture" and (kind := tiff_headers.told(data)):
            return ImageFormatRefused(
                f"The body is a TIFF picture ({kind}) of a kind that Pillow can't open. Convert it "
                "to gray, RGB or RGBA of 8 bits a channel, without compression or with LZW: magick "
                "IN.tif -depth 8 -compress LZW OUT.tif. Other channels are sent as tensors."
            )
        return ImageDamaged(f"The body is {what} whose header is damaged; send the whole file.")
    return ImageFormatRefused(
        f"The body is {what}; this server takes {allowed}. Convert it first."
        + ADVICE * (what.split()[1] in OPTIONAL_FORMATS)
    )


def alternatives(names: Sequence[str]) -> str:
    """`JPEG, PNG or GIF`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def describe(data: bytes) -> str:
    """What the first bytes look like, in words."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "a WEBP picture"
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:11], "a video")
    for signature, name in SIGNATURES.items():
        if data.lstrip().startswith(signature):
            return name
    return f"{len(data)} bytes that begin with {data[:8].hex(' ')}"
