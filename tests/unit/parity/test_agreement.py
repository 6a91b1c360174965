"""How far two series of answers mean the same."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from plumbline.parity import agreement

Pairs = list[tuple[np.ndarray, np.ndarray]]

masks = arrays(np.uint8, (6, 7), elements=st.integers(0, 3))

classes = arrays(np.int64, (1,), elements=st.integers(0, 2))


def boxes(*rows: Sequence[float]) -> np.ndarray:
    """Rows of (class, score, left, top, right, bottom)."""
    return np.array(rows, np.float32).reshape(-1, 6)


@st.composite
def detections(draw: st.DrawFn) -> np.ndarray:
    """Boxes on a coarse grid, so that many overlap, the surest first; no two are equally sure."""
    count = draw(st.integers(0, 6))
    numbers = st.integers(0, 4)
    scores = draw(st.lists(st.integers(1, 99), min_size=count, max_size=count, unique=True))
    rows = [
        (draw(st.integers(0, 2)), score / 100, left, top, left + width, top + height)
        for score in sorted(scores, reverse=True)
        for left, top, width, height in [draw(st.tuples(numbers, numbers, sizes, sizes))]
    ]
    return boxes(*rows)


sizes = st.integers(1, 5)


@given(st.lists(st.tuples(classes, classes), min_size=1))
def test_classes_agree_in_a_share_of_pictures(pairs: Pairs) -> None:
    expected = sum(int(true[0]) == int(found[0]) for true, found in pairs) / len(pairs)
    assert agreement.of_classes(pairs) == pytest.approx(expected)


def test_no_class_agrees_with_none_alone() -> None:
    none, one = np.zeros(0, np.int64), np.ones(1, np.int64)
    assert agreement.of_classes([(none, none), (none, one)]) == 0.5


@given(st.lists(masks, min_size=1))
def test_masks_agree_with_themselves(series: list[np.ndarray]) -> None:
    assert agreement.of_masks([(mask, mask) for mask in series]) == 1


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4))
def test_masks_agree_by_the_mean_iou_of_their_classes_over_all_pictures(pairs: Pairs) -> None:
    true, found = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    overlaps = []
    for each in set(true) | set(found):
        first, second = set(np.flatnonzero(true == each)), set(np.flatnonzero(found == each))
        overlaps.append(len(first & second) / len(first | second))
    assert agreement.of_masks(pairs) == pytest.approx(sum(overlaps) / len(overlaps))


def pycocotools_map(pairs: Pairs, overlaps: Sequence[float] = (0.5,)) -> float:
    """COCO's own mAP at an IoU of 0.5, or of several; -1 where there is no true box."""
    truth = COCO()
    truth.dataset = {
        "images": [{"id": number} for number in range(len(pairs))],
        "categories": [{"id": number} for number in range(3)],
        "annotations": [
            {"id": number, "iscrowd": 0, "area": 1, **annotation}
            for number, annotation in enumerate(annotations(pairs, 0), start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = annotations(pairs, 1)
        evaluation = COCOeval(truth, truth.loadRes(results) if results else COCO(), "bbox")
        evaluation.params.iouThrs = np.array(overlaps)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.imgIds = list(range(len(pairs)))
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return float(np.mean(precision[precision > -1])) if (precision > -1).any() else -1.0


def annotations(pairs: Pairs, side: int) -> list[dict[str, object]]:
    """The boxes of one side as COCO writes them."""
    return [
        {
            "image_id": number,
            "category_id": int(class_id),
            "score": float(score),
            "bbox": [float(left), float(top), float(right - left), float(bottom - top)],
        }
        for number, pair in enumerate(pairs)
        for class_id, score, left, top, right, bottom in pair[side]
    ]


@given(st.lists(st.tuples(detections(), detections()), min_size=1, max_size=3))
def test_boxes_agree_by_the_map_of_pycocotools(pairs: Pairs) -> None:
    """Boxes of several pictures that are equally sure come in the order of the pictures."""
    expected = pycocotools_map(pairs)
    if expected == -1:
        expected = float(not any(len(found) for _, found in pairs))
    assert agreement.of_boxes(pairs) == pytest.approx(expected)


@given(st.lists(st.tuples(detections(), detections()), min_size=1, max_size=3))
def test_precisions_at_all_overlaps_are_those_of_pycocotools(pairs: Pairs) -> None:
    found = agreement.average_precisions(pairs, agreement.COCO_OVERLAPS)
    expected = pycocotools_map(pairs, agreement.COCO_OVERLAPS.tolist())
    mean = np.mean(list(found.values())) if found else -1
    assert mean == pytest.approx(expected, abs=1e-6)


def test_a_crowd_of_boxes_counts_as_far_as_coco_counts_it() -> None:
    noise = np.random.default_rng(0)
    corners = noise.uniform(0, 90, (400, 2))
    sides = noise.uniform(4, 20, (400, 2))
    rows = np.column_stack([noise.integers(0, 2, 400), noise.permutation(400) / 400, corners])
    crowd = np.column_stack([rows, corners + sides]).astype(np.float32)
    true = crowd[::4].copy()
    true[:, 2:] += noise.normal(0, 1, (100, 4)).astype(np.float32)
    found = agreement.average_precisions([(true, crowd)], agreement.COCO_OVERLAPS)
    expected = pycocotools_map([(true, crowd)], agreement.COCO_OVERLAPS.tolist())
    assert np.mean(list(found.values())) == pytest.approx(expected, abs=1e-6)


BEE = (1, 0.9, 10, 10, 30, 30)
WASP = (2, 0.8, 50, 50, 80, 80)


@pytest.mark.parametrize(
    ("true", "found", "expected"),
    [
        ((), (), 1),
        ((), (BEE,), 0),
        ((BEE,), (), 0),
        ((BEE, WASP), (BEE, WASP), 1),
        ((BEE, WASP), (WASP, BEE), 1),
        ((BEE, WASP), (BEE,), 0.5),
        ((BEE,), ((1, 0.2, 12, 10, 32, 30),), 1),
        ((BEE,), ((1, 0.9, 25, 10, 45, 30),), 0),
        ((BEE,), ((2, 0.9, 10, 10, 30, 30),), 0),
        ((BEE,), ((1, 0.95, 60, 60, 70, 70), BEE), 0.5),
    ],
    ids=str,
)
def test_boxes_agree_that_have_their_like(true: tuple, found: tuple, expected: float) -> None:
    assert agreement.of_boxes([(boxes(*true), boxes(*found))]) == pytest.approx(expected)


def test_boxes_of_all_pictures_are_ranked_together() -> None:
    """One is right, but less sure than the other, which is wrong: their mean would be 0.5."""
    wrong = boxes((1, 0.95, 60, 60, 70, 70))
    pairs = [(boxes(BEE), boxes(BEE)), (boxes(BEE), wrong)]
    assert agreement.of_boxes(pairs) == pytest.approx(0.5 * 51 / 101)
