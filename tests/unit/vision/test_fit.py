"""The fits' arithmetic, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.vision.fit import FITS, Placement, place
from plumbline.vision.geometry import Rect
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
