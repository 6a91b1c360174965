"""Pictures' bytes to pixels, as Pillow or as TensorFlow decodes them, without TensorFlow.

`DECODERS` maps a name to `(file, channels) -> pixels`: uint8 `[height, width, channels]` with one
channel (gray) or three (RGB), not turned by EXIF. JPEGs go through simplejpeg, which is
libjpeg-turbo as both libraries have it; TensorFlow's default there is the fast cosine transform.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

from plumbline.errors import ImageDamaged, ImageFormatRefused
from plumbline.vision.arrays import Pixels
from plumbline.vision.color import STRIP, in_strips, libpng_grey, pillow_grey


class File(NamedTuple):
    """A picture whose header has been read, and no more."""

    data: bytes
    header: Image.Image

    @property
    def format(self) -> str:
        """As Pillow names it; several JPEGs in one file, as telephones write them, are a JPEG."""
        name = self.header.format or "picture"
        return "JPEG" if name == "MPO" else name


Decoder = Callable[[File, int], Pixels]

GREY_MODES = frozenset({"1", "L", "LA", "I;16"})
DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
"""More than 8 bits of gray: Pillow's own conversion would clip them to white."""


def damaged(file: File) -> ImageDamaged:
    """The error for a picture whose pixels can't be decoded."""
    width, height = file.header.size
    return ImageDamaged(
        f"The {file.format} picture of {width}×{height} pixels is damaged or breaks off; "
        "send the whole file again."
    )


def refused(reason: str) -> ImageFormatRefused:
    """The error for a picture that TensorFlow would not have decoded in training."""
    return ImageFormatRefused(
        f"{reason}, which tf.io.decode_image refuses; convert it to a JPEG or PNG in RGB."
    )


# -- JPEG -------------------------------------------------------------------------------------


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


def inks_to_rgb(inks: Pixels) -> Pixels:
    """Turn four inks to RGB by Pillow, which takes all for Adobe's, who writes them inverted."""
    return in_strips(
        lambda strip: np.asarray(Image.fromarray(255 - strip, "CMYK").convert("RGB")), inks, 3
    )


def jpeg_as_pillow(file: File, channels: int) -> Pixels:
    """`Image.open(data).convert("RGB")`, or `"L"`, without Pillow."""
    inks, grey = file.header.mode == "CMYK", file.header.mode == "L" and channels == 1
    pixels = unpack(file, "CMYK" if inks else "GRAY" if grey else "RGB", fast=False)
    pixels = inks_to_rgb(pixels) if inks else pixels
    return pixels if pixels.shape[2] == channels else pillow_grey(pixels)


# -- Pillow -----------------------------------------------------------------------------------


def convert(picture: Image.Image, mode: str) -> Pixels:
    """Convert; without its transparency, which Pillow would warn of and leave out all the same.

    In strips, because Pillow would hold a large picture three times for NumPy to have it once.
    """
    picture.info.pop("transparency", None)
    width, height = picture.size
    rows = max(1, STRIP // width)
    pixels = np.empty((height, width, len(mode)), np.uint8)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(height, top + rows))).convert(mode)
        pixels[top : top + rows] = np.asarray(strip).reshape(-1, width, len(mode))
    return pixels


def decode_pillow(file: File, channels: int) -> Pixels:
    """`Image.open(data).convert("RGB")`, or `"L"` for one channel."""
    if file.header.mode in DEEP_MODES:
        raise ImageFormatRefused(
            f"The picture has more than 8 bits a channel (Pillow mode {file.header.mode}), "
            "which would be clipped to white. Convert it to 8 bits a channel first."
        )
    if file.format == "JPEG":
        with suppress(ValueError):  # for what is damaged, some of which Pillow takes
            return jpeg_as_pillow(file, channels)
    return convert(load(file), "RGB" if channels == 3 else "L")


# -- TensorFlow -------------------------------------------------------------------------------


def unpack_as_tensorflow(file: File, colorspace: str) -> Pixels:
    """The pixels by the fast transform; what is damaged is taken where Pillow takes it too."""
    try:
        return unpack(file, colorspace, fast=True)
    except ValueError:
        # Decoded aside, to be forgotten before the pixels are held once more.
        load(File(file.data, Image.open(io.BytesIO(file.data), formats=[file.format])))
    try:
        return unpack(file, colorspace, fast=True, strict=False)
    except ValueError as exc:
        raise damaged(file) from exc


def light(strip: Pixels) -> Pixels:
    """What four inverted inks let through, as TensorFlow computes it in whole numbers."""
    passed: Pixels = (strip[..., :3].astype(np.uint16) * strip[..., 3:] // 255).astype(np.uint8)
    return passed


def tensorflow_jpeg(file: File, channels: int) -> Pixels:
    """`tf.io.decode_jpeg`; one channel is the JPEG's own brightness."""
    if file.header.mode != "CMYK":
        return unpack_as_tensorflow(file, "RGB" if channels == 3 else "GRAY")
    if channels == 1:
        raise refused("The picture is a JPEG of four inks, to be decoded to gray")
    inks = unpack_as_tensorflow(file, "CMYK")
    inverted = "adobe" in file.header.info
    return in_strips(light if inverted else lambda strip: light(255 - strip), inks, 3)


def tensorflow_png(file: File, channels: int) -> Pixels:
    """`tf.io.decode_png`: 16 bits lose their lower eight; colours turn gray by libpng's rule."""
    picture = load(file)
    if picture.mode == "I;16":
        high = (np.asarray(picture) >> 8).astype(np.uint8)[..., None]
        return high.repeat(channels, axis=2)
    if channels == 3:
        return convert(picture, "RGB")
    grey = picture.mode in GREY_MODES
    return convert(picture, "L") if grey else libpng_grey(convert(picture, "RGB"))


def tensorflow_bmp(file: File, channels: int) -> Pixels:
    """`tf.io.decode_bmp`, which takes the numbers of a palette's colours for gray levels."""
    if channels == 1:
        raise refused("The picture is a BMP, to be decoded to gray")
    if int.from_bytes(file.data[28:30], "little") < 8:
        raise refused("The picture is a BMP of less than 8 bits a pixel")
    picture = load(file)
    if picture.mode == "P":
        return np.asarray(picture)[..., None].repeat(3, axis=2)
    return convert(picture, "RGB")


def tensorflow_gif(file: File, channels: int) -> Pixels:
    """The first frame; transparent pixels are black."""
    if channels == 1:
        raise refused("The picture is a GIF, to be decoded to gray")
    picture = load(file)
    transparent = picture.info.get("transparency")
    pixels = convert(picture, "RGB")
    if transparent is not None and picture.mode == "P":
        pixels = pixels * (np.asarray(picture) != transparent)[..., None]
    return pixels


def tensorflow_webp(file: File, channels: int) -> Pixels:
    """Without alpha."""
    picture = load(file)
    if channels == 1 or picture.mode == "RGBA":
        raise refused("The picture is a WebP with alpha, or to be decoded to gray")
    return convert(picture, "RGB")


TENSORFLOW_FORMATS: Mapping[str, Decoder] = MappingProxyType(
    {
        "JPEG": tensorflow_jpeg,
        "PNG": tensorflow_png,
        "BMP": tensorflow_bmp,
        "GIF": tensorflow_gif,
        "WEBP": tensorflow_webp,
    }
)


def decode_tensorflow(file: File, channels: int) -> Pixels:
    """`tf.io.decode_image(data, channels, expand_animations=False)`."""
    decoder = TENSORFLOW_FORMATS.get(file.format)
    if decoder is None:
        raise refused(f"The picture is a {file.format}")
    return decoder(file, channels)


DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {"pillow": decode_pillow, "tensorflow": decode_tensorflow}
)
"""What `[preprocess] decoder` may name."""
