"""The filters against Pillow, which runs beside them anyway; the others are in tests/parity."""

from __future__ import annotations

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import SIZES, pictures
from libraries import pillow_resize
from plumbline.vision import resize
from plumbline.vision.filter_taps import pillow_taps
from plumbline.vision.resize import FILTERS, pillow_filters
from strategies import nasty, related, sizes
from strategies import pictures as any_picture

PILLOW = [name for name in FILTERS if name.startswith("pillow-")]
FLOAT = {name for name in FILTERS if name.startswith(("tensorflow-", "skimage-"))} - {
    "tensorflow-nearest"
}
SMALL = [pair for pair in SIZES if pair[0][0] * pair[0][1] < 100_000]
"""Those that take no time; tests/parity has all of them."""

Size = tuple[int, int]


@pytest.fixture(params=["products", "pillow"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one of the two ways for every size."""
    products = request.param == "products"
    monkeypatch.setattr(resize, "_products_pay", lambda *_: products)


def test_all_sixteen_are_there() -> None:
    assert len(FILTERS) == 16
    libraries = {name.split("-")[0] for name in FILTERS}
    assert libraries == {"tensorflow", "pillow", "opencv", "skimage"}


@pytest.mark.parametrize("name", FILTERS)
@given(size=sizes, data=st.data())
def test_the_same_size_is_the_same_picture(name: str, size: Size, data: st.DataObject) -> None:
    pixels = data.draw(any_picture(size))
    resized = FILTERS[name](pixels, size)
    assert resized.dtype == (np.float32 if name in FLOAT else np.uint8)
    np.testing.assert_allclose(resized, pixels, atol=1e-4)


@pytest.mark.parametrize("name", FILTERS)
@given(pair=related(), level=st.integers(0, 255))
def test_a_plain_picture_stays_plain(name: str, pair: tuple[Size, Size], level: int) -> None:
    resized = FILTERS[name](np.full((*pair[0], 3), level, np.uint8), pair[1])
    assert resized.shape == (*pair[1], 3)
    # TensorFlow's area filter itself strays: its float32 overlaps don't quite add up.
    np.testing.assert_allclose(resized, level, atol=0.05 if name == "tensorflow-area" else 1e-3)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("name", PILLOW)
@pytest.mark.parametrize("pair", SMALL, ids=str)
def test_equals_pillow(name: str, pair: tuple[Size, Size]) -> None:
    for _, pixels in pictures(pair[0]):
        theirs = pillow_resize(name.removeprefix("pillow-"), pixels, pair[1])
        np.testing.assert_array_equal(FILTERS[name](pixels, pair[1]), theirs)


@pytest.mark.parametrize("kernel", pillow_taps)
@nasty
@given(pair=related(), data=st.data())
def test_products_equal_pillow(kernel: str, pair: tuple[Size, Size], data: st.DataObject) -> None:
    pixels = data.draw(any_picture(pair[0]))[:, :, :3]  # with alpha, Pillow itself resizes
    between = (pair[0][0], pair[1][1])
    ours = resize._pillow_products(kernel, pixels, between, pair[1])
    np.testing.assert_array_equal(ours, pillow_resize(kernel, pixels, between, pair[1]))


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos"])
def test_the_order_of_passes_is_the_versions(kernel: str) -> None:
    """A portrait video frame: Pillow 13 takes its rows first, and gets other pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (1280, 720, 3), dtype=np.uint8)
    name, size = f"pillow-{kernel}", (224, 224)
    columns_first = pillow_resize(kernel, noise, (1280, 224), size)
    rows_first = pillow_resize(kernel, noise, (224, 720), size)
    assert (columns_first != rows_first).any()
    np.testing.assert_array_equal(pillow_filters(12)[name](noise, size), columns_first)
    np.testing.assert_array_equal(pillow_filters(13)[name](noise, size), rows_first)
    installed = int(PIL.__version__.split(".")[0])
    np.testing.assert_array_equal(
        pillow_filters(installed)[name](noise, size), pillow_resize(kernel, noise, size)
    )


def test_ties_are_settled() -> None:
    """Halving black and white columns with a tent gives nothing but eighths, and many halves."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 2 * 300, 3), dtype=np.uint8)
    ours = resize._pillow_products("bilinear", pixels, (300, 300), (300, 300))
    np.testing.assert_array_equal(ours, pillow_resize("bilinear", pixels, (300, 300)))


def test_a_view_is_resized_as_its_copy() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    for name in FILTERS:
        np.testing.assert_array_equal(
            resize.resize(pixels[:, ::-1, ::-1], (50, 70), name),
            resize.resize(pixels[:, ::-1, ::-1].copy(), (50, 70), name),
        )
