"""The fits' arithmetic, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.vision.crops import CentralCrop, ShorterSide, crop_or_pad, pillow_fit, pillow_pad
from plumbline.vision.fit import FITS, Fit, Placement, place
from plumbline.vision.geometry import Rect
from plumbline.vision.masks import UNSEEN, from_classes
from plumbline.vision.resize import FILTERS

LANDSCAPE, PORTRAIT, SQUARE = (480, 640), (640, 480), (224, 224)
WHOLE = Rect(0, 0, 224, 224)


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("stretch", LANDSCAPE, Placement(Rect(0, 0, 640, 480), WHOLE)),
        ("crop", LANDSCAPE, Placement(Rect(80, 0, 480, 480), WHOLE)),
        ("crop", PORTRAIT, Placement(Rect(0, 80, 480, 480), WHOLE)),
        ("pad", LANDSCAPE, Placement(Rect(0, -80, 640, 640), WHOLE)),
        ("pad", (480, 641), Placement(Rect(0, -80, 641, 640), WHOLE)),
        ("letterbox", LANDSCAPE, Placement(Rect(0, 0, 640, 480), Rect(0, 28, 224, 168))),
        ("letterbox", PORTRAIT, Placement(Rect(0, 0, 480, 640), Rect(28, 0, 168, 224))),
        ("letterbox", (1, 1000), Placement(Rect(0, 0, 1000, 1), Rect(0, 111, 224, 1))),
        ("yolo", (427, 640), Placement(Rect(0, 0, 640, 427), Rect(0, 37, 224, 149), 114)),
    ],
)
def test_placements(name: str, source: tuple[int, int], expected: Placement) -> None:
    assert FITS[name](source, SQUARE) == expected


def test_what_a_fit_leaves_empty_is_filled() -> None:
    pixels = np.full((10, 20, 3), 200, np.uint8)
    for name, fill in (("pad", 0), ("letterbox", 0), ("yolo", 114)):
        placed, geometry = place(pixels, (40, 40), FITS[name], FILTERS["opencv-nearest"])
        assert (placed[:10] == fill).all()
        assert (placed[10:30] == 200).all()
        assert (placed[30:] == fill).all()
        assert geometry.to_source([0, 10, 40, 30]).tolist() == [0, 0, 20, 10]


CROPS: dict[str, Fit] = {
    "48 pixels": ShorterSide(48),
    "30 pixels": ShorterSide(30),
    "three quarters": CentralCrop(0.75),
    "pillow's fit": pillow_fit,
    "pillow's pad": pillow_pad,
    "crop or pad": crop_or_pad,
}


@pytest.mark.parametrize("fit", CROPS.values(), ids=CROPS)
@pytest.mark.parametrize("size", [(90, 60), (60, 90), (41, 200)])
def test_what_crops_leave_lies_where_the_geometry_says(fit: Fit, size: tuple[int, int]) -> None:
    """A ramp across the picture says of each pixel of the input where it came from."""
    height, width = size
    across = np.tile(np.linspace(0, 255, width), (height, 1))
    down = np.tile(np.linspace(0, 255, height)[:, None], (1, width))
    pixels = np.rint(np.stack([across, down, across], 2)).astype(np.uint8)
    placed, geometry = place(pixels, (40, 40), fit, FILTERS["pillow-bilinear"])
    assert placed.shape == (40, 40, 3)
    left, top, wide, high = geometry.inner
    assert 0 <= left <= left + wide <= 40
    assert 0 <= top <= top + high <= 40
    y, x = top + high // 2, left + wide // 2
    box = geometry.to_upright([x, y, x + 1, y + 1])
    middle = (box[:2] + box[2:]) / 2 - 0.5
    expected = middle * 255 / (np.array([width, height]) - 1)
    np.testing.assert_allclose(placed[y, x, :2], expected, atol=5)


def test_a_mask_of_a_crop_leaves_unseen_what_was_cut_off() -> None:
    _, geometry = place(
        np.zeros((60, 120, 3), np.uint8), (30, 30), ShorterSide(30), FILTERS["pillow-bilinear"]
    )
    mask = from_classes(np.ones((30, 30), np.uint8), geometry)
    assert mask.shape == (60, 120)
    assert (mask[:, 30:90] == 1).all()
    assert (mask[:, :29] == UNSEEN).all()
    assert (mask[:, 91:] == UNSEEN).all()
