"""How far two answers mean the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plumbline import agreement
from plumbline.geometry import Geometry
from plumbline.results import Detections

masks = arrays(np.uint8, (6, 7), elements=st.integers(0, 3))


def found(*rows: tuple[int, float, float, float, float]) -> Detections:
    """Detections of (class, left, top, right, bottom)."""
    table = np.array(rows, np.float64).reshape(-1, 5)
    return Detections(
        table[:, 1:],
        np.linspace(0.9, 0.5, len(table), dtype=np.float32),
        table[:, 0].astype(int),
        tuple(str(row[0]) for row in rows),
        Geometry.whole((100, 100)),
    )


@given(masks)
def test_a_mask_agrees_with_itself(mask: np.ndarray) -> None:
    assert agreement.of_masks(mask, mask) == 1


@given(masks, masks)
def test_masks_agree_by_the_mean_iou_of_their_classes(mask: np.ndarray, other: np.ndarray) -> None:
    classes = set(mask.flat) | set(other.flat)
    overlaps = []
    for each in classes:
        first, second = set(np.flatnonzero(mask == each)), set(np.flatnonzero(other == each))
        overlaps.append(len(first & second) / len(first | second))
    assert agreement.of_masks(mask, other) == pytest.approx(sum(overlaps) / len(overlaps))


BEE = (1, 10, 10, 30, 30)
WASP = (2, 50, 50, 80, 80)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((), (), 1),
        ((BEE,), (), 0),
        ((BEE, WASP), (BEE, WASP), 1),
        ((BEE, WASP), (WASP, BEE), 1),
        ((BEE, WASP), (BEE,), 2 / 3),
        ((BEE,), ((1, 12, 10, 32, 30),), 1),
        ((BEE,), ((1, 25, 10, 45, 30),), 0),
        ((BEE,), ((2, 10, 10, 30, 30),), 0),
        ((BEE, BEE), (BEE,), 2 / 3),
    ],
    ids=str,
)
def test_boxes_agree_that_have_their_like(first: tuple, second: tuple, expected: float) -> None:
    assert agreement.of_detections(found(*first), found(*second)) == pytest.approx(expected)
