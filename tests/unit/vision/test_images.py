"""Bytes → picture: equal to Pillow, and refused with a reason otherwise."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from plumbline import errors
from plumbline.vision.decoders import DECODERS
from plumbline.vision.images import (
    COLORS,
    ORIENTATION,
    Limits,
    decode,
    describe,
    open_within,
    pixels_in,
)

LIMITS = Limits()
TURNED = 6
"""The EXIF orientation of a picture that lies on its side."""


def noise(mode: str = "RGB", size: tuple[int, int] = (23, 17)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(7).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.frombytes(mode, size, values.tobytes())


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def decoded(data: bytes, color: str = "rgb", *, exif: bool = True, decoder: str = "pillow") -> Any:
    formats = ("JPEG", "PNG", "TIFF")
    limits = Limits(formats=formats)
    return decode(data, color=color, exif=exif, limits=limits, decoder=decoder)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = TURNED
    return encoded(noise(), "PNG", exif=exif)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_rgb_equals_pillow(mode: str, form: str) -> None:
    data = encoded(noise(mode), form)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data, color="rgb", exif=True, limits=LIMITS), expected)


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("RGBA", "PNG"), ("LA", "PNG")])
def test_other_modes_are_converted_as_pillow_does(mode: str, form: str) -> None:
    data = encoded(noise(mode), form)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode(data, color="rgb", exif=True, limits=LIMITS), expected)


def test_bgr_is_rgb_reversed() -> None:
    data = encoded(noise(), "PNG")
    expected = np.asarray(noise())[:, :, ::-1]
    np.testing.assert_array_equal(decode(data, color="bgr", exif=True, limits=LIMITS), expected)


def test_gray_keeps_a_channel_axis() -> None:
    pixels = decode(encoded(noise(), "PNG"), color="gray", exif=True, limits=LIMITS)
    np.testing.assert_array_equal(pixels, np.asarray(noise().convert("L"))[:, :, np.newaxis])


def test_exif_turns_the_picture_upright() -> None:
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(turned()))))
    pixels = decode(turned(), color="rgb", exif=True, limits=LIMITS)
    assert pixels.shape == (23, 17, 3)
    np.testing.assert_array_equal(pixels, expected)


def test_without_exif_the_picture_stays_as_stored() -> None:
    pixels = decode(turned(), color="rgb", exif=False, limits=LIMITS)
    np.testing.assert_array_equal(pixels, np.asarray(noise()))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("exif", [True, False])
def test_every_orientation_is_turned_as_pillow_turns_it(form: str, exif: bool) -> None:
    """A TIFF is turned by Pillow itself while it is loaded, and not once more."""
    for orientation in range(1, 9):
        notes = Image.Exif()
        notes[ORIENTATION] = orientation
        data = encoded(noise(), form, exif=notes)
        picture = Image.open(io.BytesIO(data))
        expected = np.asarray(ImageOps.exif_transpose(picture) if exif else picture.convert("RGB"))
        np.testing.assert_array_equal(decoded(data, exif=exif), expected)


def test_an_orientation_that_means_nothing_is_none() -> None:
    notes = Image.Exif()
    notes[ORIENTATION] = 9
    data = encoded(noise(), "PNG", exif=notes)
    np.testing.assert_array_equal(decoded(data), np.asarray(noise()))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("color", [color for color in COLORS if color != "gray16"])
def test_every_color_of_every_decoder_has_its_channels(color: str, decoder: str) -> None:
    channels = {"rgba": 4}.get(color, 1 if color.endswith("gray") else 3)
    pixels = decoded(encoded(noise(), "PNG"), color, decoder=decoder)
    assert (pixels.shape, pixels.dtype) == ((17, 23, channels), np.uint8)


def test_bgr_of_a_turned_jpeg_is_its_rgb_reversed() -> None:
    notes = Image.Exif()
    notes[ORIENTATION] = TURNED
    data = encoded(noise(size=(400, 300)), "JPEG", exif=notes)
    np.testing.assert_array_equal(decoded(data, "bgr"), decoded(data)[:, :, ::-1])


@pytest.mark.parametrize("color", [color for color in COLORS if color != "gray16"])
def test_a_large_jpeg_is_not_held_twice(color: str) -> None:
    data = encoded(Image.new("RGB", (4000, 3000), "navy"), "JPEG")
    tracemalloc.start()
    try:
        decoded(data, color)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * 4000 * 3000 * (4 if color == "rgba" else 3)


def test_a_picture_at_the_limits_is_taken() -> None:
    limits = Limits(pixels=23 * 17, side=23)
    pixels = decode(encoded(noise(), "PNG"), color="rgb", exif=True, limits=limits)
    assert pixels.shape == (17, 23, 3)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            Limits(side=22),
            "The picture is 23×17 pixels; the longest side may be 22. Send a smaller one.",
        ),
        (
            Limits(pixels=390),
            "The picture is 23×17 = 391 pixels; at most 390 are decoded. Send a smaller one.",
        ),
    ],
)
def test_a_picture_over_a_limit_is_refused(limits: Limits, message: str) -> None:
    with pytest.raises(errors.ImageTooLarge) as caught:
        decode(encoded(noise(), "PNG"), color="rgb", exif=True, limits=limits)
    assert caught.value.message == message


def test_a_limit_is_checked_before_any_pixel_is_decoded() -> None:
    data = encoded(Image.new("L", (3000, 3000)), "PNG")
    tracemalloc.start()
    try:
        with pytest.raises(errors.ImageTooLarge):
            decode(data, color="rgb", exif=True, limits=Limits(side=2999))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000


def test_pictures_deeper_than_8_bits_are_refused() -> None:
    data = encoded(Image.new("I;16", (4, 4)), "PNG")
    with pytest.raises(errors.ImageFormatRefused, match="more than 8 bits a channel"):
        decode(data, color="rgb", exif=True, limits=LIMITS)


def test_an_empty_body_is_refused() -> None:
    with pytest.raises(errors.EmptyBody) as caught:
        decode(b"", color="rgb", exif=True, limits=LIMITS)
    assert caught.value.message == "The body is empty; send the bytes of a picture."


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_that_breaks_off_is_damaged(form: str) -> None:
    data = encoded(noise(), form)
    with pytest.raises(errors.ImageDamaged) as caught:
        decode(data[: len(data) // 2 + 200], color="rgb", exif=True, limits=LIMITS)
    assert caught.value.message == (
        f"The {form} picture of 23×17 pixels is damaged or breaks off; send the whole file again."
    )


def test_a_header_alone_is_damaged() -> None:
    with pytest.raises(errors.ImageDamaged) as caught:
        decode(encoded(noise(), "PNG")[:10], color="rgb", exif=True, limits=LIMITS)
    assert caught.value.message == (
        "The body is a PNG picture whose header is damaged; send the whole file."
    )


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(errors.NotAnImage) as caught:
        decode(b"%PDF-1.7", color="rgb", exif=True, limits=LIMITS)
    assert caught.value.message == (
        "The body is not a picture: it is a PDF document. "
        "Send the bytes of a JPEG, PNG, WEBP, GIF, BMP or TIFF file as they are."
    )


def test_only_formats_on_the_list_are_opened() -> None:
    with pytest.raises(errors.ImageFormatRefused) as caught:
        decode(encoded(noise(), "PNG"), color="rgb", exif=True, limits=Limits(formats=("JPEG",)))
    assert caught.value.message == (
        "The body is a PNG picture; this server takes JPEG. Convert it first."
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"GIF89a", "a GIF picture"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a WEBP picture"),
        (b"\x00\x00\x00\x18ftypheic", "a HEIF picture"),
        (b"\x00\x00\x00\x18ftypisom", "a video"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x93NUMPY\x01", "a NumPy array"),
        (b"/9j/4AAQ", "a JPEG picture in base64"),
        (b"data:image/png;base64,iVBO", "a data URL"),
        (b'  {"instances": []}', "JSON"),
        (b"\n<!doctype html>", "HTML or XML"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, not the file itself"),
        (b"\x00\x01\x02", "3 bytes that begin with 00 01 02"),
    ],
)
def test_first_bytes_are_put_in_words(data: bytes, words: str) -> None:
    assert describe(data) == words


def test_the_number_of_pixels_is_known_from_the_header_alone() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "JPEG")
    whole = buffer.getvalue()
    assert pixels_in(whole, Limits()) == pixels_in(whole[:700], Limits()) == 1200
    assert pixels_in(whole, Limits(pixels=1000)) == 0
    assert pixels_in(b'{"instances": []}', Limits()) == pixels_in(b"", Limits()) == 0


SIX = {"photometric": "minisblack", "planarconfig": "contig"}
"""Bands of a satellite."""


@pytest.mark.parametrize(
    ("pixels", "options", "told"),
    [
        (np.zeros((8, 9, 6), np.uint8), SIX, "6 channels of 8 bits"),
        (np.zeros((8, 9), np.float64), {}, "1 channel of 64 bits, floating point"),
        (
            np.zeros((8, 9, 3), np.float32),
            {"photometric": "rgb"},
            "3 channels of 32 bits, floating point",
        ),
        (np.zeros((8, 9), np.int64), {"bigtiff": True}, "1 channel of 64 bits, with a sign"),
    ],
)
def test_a_tiff_of_a_kind_that_pillow_does_not_know_is_told_by_its_kind(
    pixels: np.ndarray, options: dict[str, Any], told: str
) -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    with pytest.raises(errors.ImageFormatRefused, match=r"magick IN\.tif") as caught:
        open_within(stream.getvalue(), Limits())
    assert f"a TIFF picture (9×8 pixels, {told}, uncompressed) of a kind" in caught.value.message


@pytest.mark.parametrize(
    ("method", "told"), [(34712, "8 bits, JPEG 2000"), (99, "8 bits, compression 99")]
)
def test_a_tiff_of_another_compression_is_told_by_it(method: int, told: str) -> None:
    stream = io.BytesIO()
    Image.new("L", (9, 8)).save(stream, "TIFF")
    entry = b"\x03\x01\x03\x00\x01\x00\x00\x00"
    assert stream.getvalue().count(entry + b"\x01\x00") == 1
    data = stream.getvalue().replace(entry + b"\x01\x00", entry + method.to_bytes(2, "little"))
    with pytest.raises(errors.ImageFormatRefused, match=told):
        open_within(data, Limits())
