"""`tf.io.decode_image` without TensorFlow.

JPEGs go through simplejpeg, which is libjpeg-turbo as Pillow and TensorFlow have it; TensorFlow's
default there is the fast cosine transform.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from plumbline.errors import ImageFormatRefused
from plumbline.vision.arrays import Pixels
from plumbline.vision.color import in_strips, libpng_grey
from plumbline.vision.picture_files import File, convert, load, unpack

Decoder = Callable[[File, int], Pixels]

START_OF_SCAN = b"\xda"

SEGMENT = re.compile(rb"\xff([^\x00\x01\xd0-\xd9\xff])")
"""What begins a JPEG's segment that has a length."""

GREY_MODES = frozenset({"1", "L", "LA", "I;16"})


def refused(reason: str) -> ImageFormatRefused:
    """The error for a picture that TensorFlow would not have decoded in training."""
    return ImageFormatRefused(
        f"{reason}, which tf.io.decode_image refuses; convert it to a JPEG or PNG in RGB."
    )


def unpack_as_tensorflow(file: File, colorspace: str) -> Pixels:
    """The pixels by the fast transform; what is damaged is taken where Pillow takes it too."""
    try:
        return unpack(file, colorspace, fast=True)
    except ValueError:
        # Decoded aside, to be forgotten before the pixels are held once more.
        load(File(file.data, Image.open(io.BytesIO(file.data), formats=[file.format])))
    whole = File(without_strays(file.data), file.header)
    try:
        return unpack(whole, colorspace, fast=True, strict=False)
    except ValueError as exc:
        if colorspace == "CMYK" or not is_repeated(file.header):
            raise ImageFormatRefused(
                "The picture is a JPEG of a rare kind, such as CMYK sampled 4:1:0, which "
                "can't be decoded here as TensorFlow does it; save it again with 4:2:0 or 4:4:4 "
                "sampling."
            ) from exc
    return as_draft(file, colorspace)


def is_repeated(header: Image.Image) -> bool:
    """Whether libjpeg only repeats the samples of a JPEG's colours, and smooths none.

    TurboJPEG has no name for most of these ways of sampling.
    """
    factors = [(across, down) for _, across, down, _ in getattr(header, "layer", ())]
    most = [max(each) for each in zip(*factors, strict=True)]
    return SMOOTHED.isdisjoint((most[0] / across, most[1] / down) for across, down in factors)


SMOOTHED = frozenset({(2, 1), (2, 2), (1, 2)})
"""How many pixels of the picture, across and down, share a sample that is smoothed."""


def as_draft(file: File, colorspace: str) -> Pixels:
    """Pillow's pixels by the fast transform, which it uses for drafts.

    Drafts are not smoothed either, so that this is for `is_repeated` alone.
    """
    picture = JpegImageFile(io.BytesIO(file.data))
    if colorspace == "GRAY":
        picture.draft("L", None)
    picture.decoderconfig = (1, 1)
    return convert(load(File(file.data, picture)), "L" if colorspace == "GRAY" else "RGB")


def without_strays(data: bytes) -> bytes:
    """A JPEG without bytes between the segments before its first scan, which TurboJPEG refuses."""
    kept, at = [data[:2]], 2
    while segment := SEGMENT.search(data, at):
        if segment[1] == START_OF_SCAN:
            return b"".join([*kept, data[segment.start() :]])
        at = segment.end() + int.from_bytes(data[segment.end() : segment.end() + 2], "big")
        kept.append(data[segment.start() : at])
    return data


def light(strip: Pixels) -> Pixels:
    """What four inverted inks let through, as TensorFlow computes it in whole numbers."""
    passed: Pixels = (strip[..., :3].astype(np.uint16) * strip[..., 3:] // 255).astype(np.uint8)
    return passed


def tensorflow_jpeg(file: File, channels: int) -> Pixels:
    """`tf.io.decode_jpeg`; one channel is the JPEG's own brightness."""
    if channels == 4:
        raise refused("The picture is a JPEG, to be decoded to RGBA")
    if file.header.mode != "CMYK":
        return unpack_as_tensorflow(file, "RGB" if channels == 3 else "GRAY")
    if channels == 1:
        raise refused("The picture is a CMYK JPEG, to be decoded to gray")
    inks = unpack_as_tensorflow(file, "CMYK")
    inverted = "adobe" in file.header.info
    return in_strips(light if inverted else lambda strip: light(255 - strip), inks, 3)


def tensorflow_png(file: File, channels: int) -> Pixels:
    """`tf.io.decode_png`: 16 bits lose their lower eight; colours turn gray by libpng's rule."""
    picture = load(file)
    if channels == 4:
        return png_with_alpha(file, picture)
    if picture.mode == "I;16":
        return upper_bits(picture).repeat(channels, axis=2)
    if channels == 3:
        return convert(picture, "RGB")
    grey = picture.mode in GREY_MODES
    return convert(picture, "L") if grey else libpng_grey(convert(picture, "RGB"))


def upper_bits(picture: Image.Image) -> Pixels:
    """The upper eight of 16 bits of gray."""
    return (np.asarray(picture) >> 8).astype(np.uint8)[..., None]


def png_with_alpha(file: File, picture: Image.Image) -> Pixels:
    """`tf.io.decode_png(data, channels=4)`, whose opaque is 2**bits - 1 below eight bits."""
    depth, key = file.data[24], picture.info.get("transparency")
    if depth == 16 and picture.mode == "RGB" and key is not None:
        raise ImageFormatRefused(
            "The picture is a PNG of 16 bits a channel with a transparent colour, which can't be "
            "decoded here as TensorFlow does it; save it with 8 bits a channel."
        )
    if picture.mode not in ("1", "L", "I;16", "P") or (picture.mode == "P" and key is not None):
        return convert(picture, "RGBA")
    values = np.asarray(picture)
    level = key if depth in (8, 16) else (key or 0) * 255 // (2**depth - 1)
    opaque = 255 if key is not None or depth >= 8 else 2**depth - 1
    seen = values != level if key is not None else np.ones(values.shape, bool)
    deep = picture.mode == "I;16"
    pixels = upper_bits(picture).repeat(3, axis=2) if deep else convert(picture, "RGB")
    return np.dstack([pixels, np.where(seen, opaque, 0).astype(np.uint8)])


def tensorflow_bmp(file: File, channels: int) -> Pixels:
    """`tf.io.decode_bmp`: the bytes as they lie there, whatever palette or masks go with them."""
    if channels == 1:
        raise refused("The picture is a BMP, to be decoded to gray")
    start, width, height, bits = (
        int.from_bytes(file.data[at : at + length], "little", signed=True)
        for at, length in ((10, 4), (18, 4), (22, 4), (28, 2))
    )
    if bits not in (8, 24, 32) or width <= 0:
        raise refused("The picture is a BMP of other than 8, 24 or 32 bits a pixel")
    row = (bits * width + 31) // 32 * 4
    if not 0 < start == len(file.data) - row * abs(height):
        raise refused("The picture is a BMP that is compressed, or of another length than it says")
    rows = np.frombuffer(file.data, np.uint8, offset=start).reshape(abs(height), row)
    pixels = rows[:, : width * bits // 8].reshape(abs(height), width, bits // 8)
    pixels = pixels[::-1] if height > 0 else pixels
    if bits == 8:
        pixels = pixels.repeat(3, axis=2)
    order = [2, 1, 0, 3][: min(channels, pixels.shape[2])]
    found = pixels[..., order]
    if found.shape[2] < channels:
        found = np.dstack([found, np.full(found.shape[:2], 255, np.uint8)])
    return np.ascontiguousarray(found)


def tensorflow_gif(file: File, channels: int) -> Pixels:
    """The first frame; transparent pixels are black."""
    if channels != 3:
        raise refused("The picture is a GIF, to be decoded to gray or RGBA")
    picture = load(file)
    transparent = picture.info.get("transparency")
    pixels = convert(picture, "RGB")
    if transparent is not None and picture.mode == "P":
        pixels = pixels * (np.asarray(picture) != transparent)[..., None]
    return pixels


def tensorflow_webp(file: File, channels: int) -> Pixels:
    """With as many channels as the file has."""
    picture = load(file)
    if channels != len(picture.mode):
        raise refused("The picture is a WebP with alpha, or to be decoded to gray or RGBA")
    return convert(picture, picture.mode)


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
