"""The Pillow decoder against Pillow; TensorFlow's is compared with TensorFlow in tests/parity."""

from __future__ import annotations

import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from encoded import blemished, broken, encode, four_inks, jpegs, others, photograph, refused
from libraries import pillow_decode
from plumbline.errors import ImageDamaged, ImageFormatRefused, PlumblineError
from plumbline.vision import decoders
from plumbline.vision.arrays import Pixels
from plumbline.vision.decoders import DECODERS
from plumbline.vision.images import Limits, decode
from plumbline.vision.picture_files import File

WHOLE = jpegs() | others() | refused()
DEEP = "png 16 bits"


def opened(data: bytes) -> File:
    return File(data, Image.open(io.BytesIO(data)))


def by_pillow(data: bytes, channels: int = 3) -> Pixels:
    return DECODERS["pillow"](opened(data), channels)


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("channels", [3, 1, 4])
@pytest.mark.parametrize("name", [name for name in WHOLE if name != DEEP])
def test_equals_pillow(name: str, channels: int) -> None:
    ours = by_pillow(WHOLE[name], channels)
    assert ours.dtype == np.uint8
    np.testing.assert_array_equal(ours, pillow_decode(WHOLE[name], channels))


@pytest.mark.parametrize("name", ["(107, 161) 4:2:0", "gray", "cmyk", "ycck", "two in one"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_whole_jpegs_do_not_go_through_pillow(
    name: str, decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow is slower, and takes more memory."""
    monkeypatch.delattr(decoders, "load")
    assert DECODERS[decoder](opened(jpegs()[name]), 3).shape == (107, 161, 3)


@pytest.mark.parametrize("channels", [3, 1, 4])
@pytest.mark.parametrize("name", blemished())
def test_what_pillow_takes_in_spite_of_damage_is_taken(name: str, channels: int) -> None:
    data = blemished()[name]
    with pytest.raises(ValueError, match="Corrupt JPEG data"):
        simplejpeg.decode_jpeg(data)
    np.testing.assert_array_equal(by_pillow(data, channels), pillow_decode(data, channels))


@pytest.mark.parametrize("name", blemished())
def test_tensorflows_decoder_takes_it_too(name: str) -> None:
    pixels = DECODERS["tensorflow"](opened(blemished()[name]), 3)
    assert np.abs(pixels.astype(int) - pillow_decode(blemished()[name])).mean() < 2


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", ["truncated", "truncated png"])
def test_what_breaks_off_is_damaged(decoder: str, name: str) -> None:
    with pytest.raises(ImageDamaged):
        DECODERS[decoder](opened(broken()[name]), 3)


def test_any_damage_is_taken_as_pillow_takes_it() -> None:
    """Of 300 JPEGs with some bytes overwritten, either both have the pixels, or neither."""
    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(300):
        data = bytearray(jpegs()["(107, 161) 4:2:0"])
        for place in rng.integers(20, len(data), 2):
            data[place] = rng.integers(256)
        try:
            theirs = pillow_decode(bytes(data))
        except Exception:
            with pytest.raises(PlumblineError):
                decode(bytes(data), color="rgb", exif=False, limits=Limits())
            continue
        taken += 1
        pixels = decode(bytes(data), color="rgb", exif=False, limits=Limits())
        np.testing.assert_array_equal(pixels, theirs)
    assert 50 < taken < 290


@pytest.mark.parametrize("name", refused())
def test_what_tensorflow_refuses_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ImageFormatRefused, match=r"tf\.io\.decode_image refuses"):
        DECODERS["tensorflow"](opened(refused()[name]), 3)


@pytest.mark.parametrize("name", ["cmyk", "bmp", "gif", "webp"])
def test_what_tensorflow_does_not_turn_gray_is_refused(name: str) -> None:
    with pytest.raises(ImageFormatRefused, match="gray"):
        DECODERS["tensorflow"](opened(WHOLE[name]), 1)


def test_more_than_8_bits_are_refused_where_pillow_would_clip_them() -> None:
    with pytest.raises(ImageFormatRefused, match="more than 8 bits"):
        by_pillow(others()[DEEP])
    assert DECODERS["tensorflow"](opened(others()[DEEP]), 1).max() == 254


def test_the_decoders_differ_on_a_photograph() -> None:
    """What TensorFlow's fast transform costs is visible: otherwise the choice would be moot."""
    file = opened(encode(photograph((213, 320)), "JPEG", quality=100))
    pillow, tensorflow = (DECODERS[name](file, 3).astype(int) for name in DECODERS)
    assert np.abs(pillow - tensorflow).max() > 7


def test_black_ink_is_rounded_otherwise_by_tensorflow() -> None:
    file = opened(encode(Image.fromarray(four_inks((107, 161)), "CMYK"), "JPEG", quality=100))
    pillow, tensorflow = (DECODERS[name](file, 3) for name in DECODERS)
    assert (pillow != tensorflow).mean() > 0.1


def test_inks_of_rare_sampling_are_refused_for_what_they_are() -> None:
    """Of 4x1: TurboJPEG has no name for it, and Pillow turns the inks over."""
    data = bytearray(encode(Image.new("CMYK", (64, 64), "teal"), "JPEG"))
    start = data.index(b"\xff\xc0") + 11
    assert data[start] == 0x11
    data[start] = 0x41
    data[start - 6 : start - 2] = bytes([0, 32, 0, 32])  # for which there are blocks enough
    with pytest.raises(ImageFormatRefused, match=r"CMYK sampled 4:1:0"):
        decode(bytes(data), color="rgb", exif=False, decoder="tensorflow", limits=Limits())


def test_colours_of_rare_sampling_that_are_smoothed_are_refused() -> None:
    """Of 4x2 beside 2x1: a sample of colour is of 2x2 pixels, which TurboJPEG can't name so."""
    data = bytearray(jpegs()["sampled 4x2"])
    start = data.index(b"\xff\xc0") + 14
    data[start] = data[start + 3] = 0x21
    with pytest.raises(ImageFormatRefused, match=r"JPEG of a rare kind"):
        decode(bytes(data), color="rgb", exif=False, decoder="tensorflow", limits=Limits())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lab_is_converted_as_pillow_does_it_or_refused(channels: int) -> None:
    data = encode(Image.merge("LAB", Image.fromarray(four_inks((9, 7))[..., :3]).split()), "TIFF")
    try:
        expected = pillow_decode(data, channels)
    except ValueError:
        with pytest.raises(ImageFormatRefused, match="Pillow mode LAB"):
            by_pillow(data, channels)
    else:
        np.testing.assert_array_equal(by_pillow(data, channels), expected)
    with pytest.raises(ImageFormatRefused):
        DECODERS["tensorflow"](opened(data), channels)
