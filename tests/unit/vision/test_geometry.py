"""Boxes find their way back through crops, pads and EXIF turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from plumbline.vision.fit import FITS, place
from plumbline.vision.geometry import TURNS, Geometry, Rect, upright
from plumbline.vision.resize import FILTERS
from strategies import sizes

Size = tuple[int, int]


def by_pillow(pixels: np.ndarray, orientation: int) -> np.ndarray:
    picture = Image.fromarray(pixels)
    picture.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


@pytest.mark.parametrize("orientation", TURNS)
@given(size=sizes)
def test_upright_is_pillows(orientation: int, size: Size) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(upright(pixels, orientation), by_pillow(pixels, orientation))


@pytest.mark.parametrize("orientation", TURNS)
@given(size=sizes, data=st.data())
def test_a_pixels_box_finds_the_pixel(orientation: int, size: Size, data: st.DataObject) -> None:
    """Mark one stored pixel; its box in the upright picture leads back to it."""
    row, column = (data.draw(st.integers(0, side - 1)) for side in size)
    stored = np.zeros((*size, 1), np.uint8)
    stored[row, column] = 255
    turned = upright(stored, orientation)
    top, left, _ = np.argwhere(turned)[0]
    whole = Rect(0, 0, turned.shape[1], turned.shape[0])
    box = Geometry(size, whole, whole, turned.shape[:2], orientation).to_source(
        [left, top, left + 1, top + 1]
    )
    assert box.tolist() == [column, row, column + 1, row + 1]


@pytest.mark.parametrize("fit", FITS)
@given(source=sizes, target=sizes, orientation=st.sampled_from(sorted(TURNS)))
def test_the_inner_part_is_the_window(
    fit: str, source: Size, target: Size, orientation: int
) -> None:
    pixels = np.zeros((*source, 3), np.uint8)
    placed, geometry = place(pixels, target, FITS[fit], FILTERS["opencv-nearest"], orientation)
    left, top, width, height = geometry.inner
    window = geometry.window
    box = geometry.to_upright([left, top, left + width, top + height])
    assert placed.shape == (*target, 3)
    np.testing.assert_allclose(
        box,
        [window.left, window.top, window.left + window.width, window.top + window.height],
    )


def test_many_boxes_at_once() -> None:
    geometry = Geometry((100, 50), Rect(0, 0, 50, 100), Rect(10, 0, 20, 40), (40, 40))
    boxes = np.array([[[10, 0, 30, 40], [20, 20, 25, 30]]])
    assert geometry.to_source(boxes).tolist() == [[[0, 0, 50, 100], [25, 50, 37.5, 75]]]
    assert geometry.to_source(np.zeros((0, 4))).shape == (0, 4)
