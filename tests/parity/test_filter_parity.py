"""The filters against TensorFlow, Pillow and OpenCV themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import SIZES, photographs, pictures
from libraries import RESIZERS
from plumbline.vision.resize import FILTERS, pillow_filters
from strategies import pictures as any_picture
from strategies import related
from tally import Tally, compared

pytestmark = [pytest.mark.tensorflow, pytest.mark.opencv]

Size = tuple[int, int]

# 1e-5 of the range where the library computes in floats; one level where OpenCV rounds the other
# way in ties, which Intel's IPP decides by float32 noise. Everything else is identical.
TOLERANCE = dict.fromkeys(FILTERS, 0.0) | {
    "tensorflow-bilinear": 0.00255,
    "tensorflow-bilinear-antialias": 0.00255,
    "tensorflow-bicubic": 0.00255,
    "tensorflow-area": 0.00255,
    "skimage-linear": 0.00255,
    "opencv-cubic": 1.0,
}


def compare(name: str, pixels: np.ndarray, size: Size) -> Tally:
    return compared(FILTERS[name](pixels, size), RESIZERS[name](pixels, size))


def test_there_is_a_library_for_every_filter() -> None:
    assert RESIZERS.keys() == FILTERS.keys()


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("pair", SIZES, ids=str)
def test_the_corpus(name: str, pair: tuple[Size, Size]) -> None:
    for label, pixels in pictures(pair[0]):
        assert compare(name, pixels, pair[1]).largest <= TOLERANCE[name], label


@pytest.mark.parametrize("name", FILTERS)
@given(pair=related(), data=st.data())
def test_any_size_and_content(name: str, pair: tuple[Size, Size], data: st.DataObject) -> None:
    pixels = data.draw(any_picture(pair[0]))
    assert compare(name, pixels, pair[1]).largest <= TOLERANCE[name]


@pytest.mark.parametrize("size", [(224, 224), (299, 299), (128, 128)], ids=str)
def test_opencv_cubic_differs_in_one_value_of_ten_thousand(size: Size) -> None:
    tally = Tally()
    for pixels in photographs().values():
        tally.add(FILTERS["opencv-cubic"](pixels, size), RESIZERS["opencv-cubic"](pixels, size))
    assert tally.share <= 1e-4


def test_the_installed_pillow_has_one_of_the_two_orders() -> None:
    """A frame tall enough for Pillow 13 to take its rows first."""
    pixels = np.random.default_rng(0).integers(0, 256, (1280, 720, 3), dtype=np.uint8)
    theirs = RESIZERS["pillow-bicubic"](pixels, (224, 224))
    same = [
        (pillow_filters(v)["pillow-bicubic"](pixels, (224, 224)) == theirs).all() for v in (12, 13)
    ]
    assert sorted(same) == [False, True]


@pytest.mark.parametrize("name", [name for name in FILTERS if name.startswith(("pil", "tensor"))])
@pytest.mark.parametrize(
    "pair", [((61, 83), (32, 32)), ((20, 31), (64, 40)), ((700, 900), (64, 64))]
)
def test_sixteen_bits_of_gray(name: str, pair: tuple[Size, Size]) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (*pair[0], 1)).astype(np.uint16)
    ours, theirs = FILTERS[name](pixels, pair[1]), RESIZERS[name](pixels, pair[1])
    assert ours.dtype == theirs.dtype
    assert np.abs(ours.astype(float) - theirs).max() <= TOLERANCE[name] * 257
