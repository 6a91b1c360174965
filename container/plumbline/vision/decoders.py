"""Pictures' bytes to pixels, as Pillow or as TensorFlow decodes them.

`DECODERS` maps a name to `(file, channels) -> pixels`: uint8 `[height, width, channels]` with one
channel (gray), three (RGB) or four (RGBA), not turned by EXIF.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

import numpy as np
from PIL import Image

from plumbline.errors import ImageFormatRefused
from plumbline.vision.arrays import Pixels
from plumbline.vision.color import in_strips, pillow_grey
from plumbline.vision.picture_files import File, convert, load, unpack
from plumbline.vision.tensorflow_decoder import decode_tensorflow

Decoder = Callable[[File, int], Pixels]

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""What Pillow calls pictures of so many channels."""

DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})
"""More than 8 bits of gray: Pillow's own conversion would clip them to white."""


def inks_to_rgb(inks: Pixels) -> Pixels:
    """Turn four inks to RGB by Pillow, which takes all for Adobe's, who writes them inverted."""
    return in_strips(
        lambda strip: np.asarray(Image.fromarray(255 - strip, "CMYK").convert("RGB")), inks, 3
    )


def jpeg_as_pillow(file: File, channels: int) -> Pixels:
    """`Image.open(data).convert("RGB")`, `"RGBA"` or `"L"`, without Pillow."""
    inks, grey = file.header.mode == "CMYK", file.header.mode == "L" and channels == 1
    plain = "RGBA" if channels == 4 else "RGB"
    pixels = unpack(file, "CMYK" if inks else "GRAY" if grey else plain, fast=False)
    pixels = inks_to_rgb(pixels) if inks else pixels
    if inks and channels == 4:
        opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
        return np.concatenate([pixels, opaque], axis=2)
    return pixels if pixels.shape[2] == channels else pillow_grey(pixels)


def decode_pillow(file: File, channels: int) -> Pixels:
    """`Image.open(data).convert("RGB")`, `"L"` for one channel, or `"RGBA"` for four."""
    if file.header.mode in DEEP_MODES:
        raise ImageFormatRefused(
            f"The picture has more than 8 bits a channel (Pillow mode {file.header.mode}), "
            "which would be clipped to white. Convert it to 8 bits a channel first."
        )
    if file.format == "JPEG":
        with suppress(ValueError):  # for what is damaged, some of which Pillow takes
            return jpeg_as_pillow(file, channels)
    return convert(load(file), MODES[channels])


def deep_gray(file: File, decoder: str) -> Pixels:
    """16 bits of gray: `Image.open(data)` as an array, or `tf.io.decode_png(dtype=tf.uint16)`."""
    if not file.header.mode.startswith("I;16"):
        raise ImageFormatRefused(
            f"The picture has other pixels (Pillow mode {file.header.mode}) than the 16 bits of "
            "gray that the model takes; send a PNG or TIFF of that kind."
        )
    if decoder == "tensorflow" and file.format != "PNG":
        raise ImageFormatRefused(
            f"The picture is a {file.format}, of which TensorFlow decodes no 16 bits; send a PNG."
        )
    return np.asarray(load(file)).astype(np.uint16)[..., None]  # type: ignore[return-value]


DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {"pillow": decode_pillow, "tensorflow": decode_tensorflow}
)
"""What `[preprocess] decoder` may name."""
