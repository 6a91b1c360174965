"""The decoders and the grays against TensorFlow, Pillow and OpenCV."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from encoded import blemished, broken, encode, jpegs, others, photograph, refused, turned
from libraries import GRAYS, opencv_decode, tensorflow_decode
from plumbline.errors import PlumblineError
from plumbline.vision.images import COLORS, Limits, decode
from plumbline.vision.picture_files import File
from plumbline.vision.resize import FILTERS
from plumbline.vision.tensorflow_decoder import decode_tensorflow

pytestmark = [pytest.mark.tensorflow, pytest.mark.opencv]

LIMITS = Limits(formats=("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"))
PICTURES = jpegs() | others()
CHANNELS = {"rgb": 3, "rgba": 4, "gray": 1}


def ours(data: bytes, color: str = "rgb", decoder: str = "tensorflow") -> np.ndarray:
    return decode(data, color=color, exif=False, limits=LIMITS, decoder=decoder)


@pytest.mark.parametrize("color", CHANNELS)
@pytest.mark.parametrize("name", PICTURES)
def test_equals_decode_image(name: str, color: str) -> None:
    import tensorflow as tf

    try:
        theirs = tensorflow_decode(PICTURES[name], CHANNELS[color])
    except tf.errors.InvalidArgumentError:
        with pytest.raises(PlumblineError):
            ours(PICTURES[name], color)
        return
    np.testing.assert_array_equal(ours(PICTURES[name], color), theirs)


@pytest.mark.parametrize("name", sorted(jpegs().keys() - {"cmyk not Adobe's", "cmyk", "ycck"}))
def test_integer_accurate_equals_pillow(name: str) -> None:
    """`dct_method="INTEGER_ACCURATE"` is declared as the Pillow decoder; but for four inks."""
    import tensorflow as tf

    theirs = tf.io.decode_jpeg(PICTURES[name], channels=3, dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(ours(PICTURES[name], decoder="pillow"), theirs.numpy())


@pytest.mark.parametrize("name", blemished())
def test_what_tensorflow_takes_in_spite_of_damage_is_taken(name: str) -> None:
    np.testing.assert_array_equal(ours(blemished()[name]), tensorflow_decode(blemished()[name]))


@pytest.mark.parametrize("name", [*broken(), *refused()])
def test_refuses_what_tensorflow_refuses(name: str) -> None:
    import tensorflow as tf

    data = (broken() | refused())[name]
    with pytest.raises(tf.errors.InvalidArgumentError):
        tensorflow_decode(data)
    with pytest.raises(PlumblineError):
        ours(data)


def test_any_damage_is_taken_as_tensorflow_takes_it() -> None:
    """Of 200 JPEGs with some bytes overwritten; of a few that it refuses we make something."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    taken = 0
    for _ in range(200):
        data = bytearray(jpegs()["cmyk"])
        for place in rng.integers(len(data) // 2, len(data), 2):
            data[place] = rng.integers(256)
        try:
            theirs = tensorflow_decode(bytes(data))
        except tf.errors.InvalidArgumentError:
            continue
        taken += 1
        np.testing.assert_array_equal(ours(bytes(data)), theirs)
    assert taken > 50


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_bgr_equals_imread(kind: str, orientation: int) -> None:
    data = encode(photograph((107, 161)), kind, exif=turned(orientation))
    pixels = decode(data, color="bgr", exif=True, limits=LIMITS)
    np.testing.assert_array_equal(pixels, opencv_decode(data))


@pytest.mark.parametrize("color", GRAYS)
def test_grays(color: str) -> None:
    """A quarter of all colours, every red and green with some of the blues."""
    _, gray = COLORS[color]
    red, green = np.meshgrid(*[np.arange(256, dtype=np.uint8)] * 2)
    for blue in range(0, 256, 4):
        colours = np.dstack([red, green, np.full_like(red, blue)])
        np.testing.assert_array_equal(gray(colours), GRAYS[color](colours))


def test_a_gif_of_small_frames_is_not_imitated() -> None:
    """What is known to differ: TensorFlow cuts it to the largest frame, and Pillow does not."""
    data = bytearray(encode(photograph((61, 97)).quantize(9), "GIF"))
    data[6:10] = (120).to_bytes(2, "little") + (80).to_bytes(2, "little")
    picture = Image.open(io.BytesIO(bytes(data)))
    assert tensorflow_decode(bytes(data)).shape == (61, 97, 3)
    assert decode_tensorflow(File(bytes(data), picture), 3).shape == (80, 120, 3)


@pytest.mark.parametrize("name", ["png 16 bits", "png gray", "png", "tiff 16 bits"])
def test_sixteen_bits_of_gray_are_kept(name: str) -> None:
    import tensorflow as tf

    deep = np.asarray(Image.open(io.BytesIO(PICTURES["png 16 bits"])))
    files = {**PICTURES, "tiff 16 bits": encode(Image.fromarray(deep), "TIFF")}
    if "16" not in name:
        with pytest.raises(PlumblineError, match="16 bits of gray that the model takes"):
            ours(files[name], "gray16")
        return
    np.testing.assert_array_equal(ours(files[name], "gray16", "pillow")[..., 0], deep)
    if "tiff" in name:
        with pytest.raises(PlumblineError, match="TensorFlow decodes no 16 bits"):
            ours(files[name], "gray16")
        return
    theirs = tf.io.decode_png(files[name], channels=1, dtype=tf.uint16)
    np.testing.assert_array_equal(ours(files[name], "gray16"), theirs)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("parts", [2, 4])
def test_a_decoder_that_scales_would_make_other_pixels_with_any_filter(
    name: str, parts: int
) -> None:
    """Why pictures are decoded whole: libjpeg's halves are no filter's, nor a filter's halves.

    Its transform of half the size rounds otherwise than an area filter, even where the factor is 2.
    """
    file = encode(photograph((416, 640)), "JPEG", quality=90, subsampling=0)
    whole, halved = (Image.open(io.BytesIO(file)) for _ in range(2))
    halved.draft("RGB", (320, 208))
    size = (416 // parts, 640 // parts)

    wanted, found = (FILTERS[name](np.asarray(each), size) for each in (whole, halved))

    assert halved.size == (320, 208)
    assert np.abs(wanted.astype(float) - found).max() >= 1
