"""Boxes: every format, overlaps, and which of many are kept; TensorFlow is asked elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.vision.boxes import FIRST, FORMATS, ROUND, Candidates, corners, extent, iou, suppress
from strategies import nasty

Array = np.ndarray[Any, Any]

SIZE = (100, 200)
CORNERS = [20, 10, 60, 40]

WRITTEN = {
    "xyxy": [20, 10, 60, 40],
    "yxyx": [10, 20, 40, 60],
    "xywh": [20, 10, 40, 30],
    "center_xywh": [40, 25, 40, 30],
    "center_yxhw": [25, 40, 30, 40],
    "rel_xyxy": [0.1, 0.1, 0.3, 0.4],
    "rel_yxyx": [0.1, 0.1, 0.4, 0.3],
    "rel_xywh": [0.1, 0.1, 0.2, 0.3],
    "rel_center_xywh": [0.2, 0.25, 0.2, 0.3],
    "rel_center_yxhw": [0.25, 0.2, 0.3, 0.2],
}
"""One box in each format."""


def boxes_of(count: st.SearchStrategy[int]) -> st.SearchStrategy[Array]:
    """Corners, many of which touch, are equal or have no area."""
    return count.flatmap(
        lambda drawn: hnp.arrays(np.float32, (drawn, 4), elements=st.integers(0, 6).map(float))
    )


some_boxes = boxes_of(st.integers(0, 10))


@st.composite
def candidates(draw: st.DrawFn) -> Candidates:
    boxes = draw(some_boxes)
    shape = (len(boxes), draw(st.integers(1, 3)))
    scores = draw(hnp.arrays(np.float32, shape, elements=st.integers(-1, 5).map(float)))
    scores[scores < 0] = -np.inf
    return Candidates(boxes, scores, np.arange(shape[1]))


def kept_of(given: Candidates, threshold: float = 0.4, **limits: int) -> list[int]:
    most = {"max_candidates": 10_000, "max_kept": 10_000, **limits}
    return suppress(given, iou_threshold=threshold, **most).tolist()


def overlapping(given: Candidates, threshold: float) -> Array:
    """Of all candidates `[n, n]`, which pairs of one group overlap by more than the threshold."""
    everything = np.arange(given.scores.size)
    boxes, groups = given.boxes_of(everything), given.groups_of(everything)
    upright = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )
    first, second = (axis.reshape(-1) for axis in np.meshgrid(everything, everything))
    over = iou(upright[first], upright[second]) > np.float32(threshold)
    return over.reshape(groups.size, groups.size) & (groups[:, None] == groups)


def test_there_is_an_example_of_every_format() -> None:
    assert WRITTEN.keys() == set(FORMATS)


@pytest.mark.parametrize("box_format", FORMATS)
def test_every_format_is_brought_to_corners_in_pixels(box_format: str) -> None:
    many = np.array([[WRITTEN[box_format]] * 3] * 2, np.float64)
    found = corners(many, box_format) * extent(box_format, SIZE)
    np.testing.assert_allclose(found, np.broadcast_to(CORNERS, (2, 3, 4)), rtol=1e-6)


@pytest.mark.parametrize("box_format", FORMATS)
def test_no_boxes_are_no_corners(box_format: str) -> None:
    assert corners(np.zeros((0, 4)), box_format).shape == (0, 4)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 2, 2], 1.0),
        ([1, 0, 3, 2], 1 / 3),
        ([1, 1, 3, 3], 1 / 7),
        ([0, 0, 1, 1], 1 / 4),
        ([2, 0, 4, 2], 0.0),
        ([5, 5, 6, 6], 0.0),
        ([1, 1, 1, 1], 0.0),
        ([1, 0, 1, 2], 0.0),
    ],
    ids=["itself", "half", "a quarter", "inside", "beside", "far", "a point", "a line"],
)
def test_overlaps(other: list[float], expected: float) -> None:
    one, another = np.array([[0, 0, 2, 2]], np.float32), np.array([other], np.float32)
    assert iou(one, another)[0] == np.float32(expected)
    assert iou(another, one)[0] == np.float32(expected)


@nasty
@given(candidates(), st.sampled_from([0.0, 0.4, 0.9]))
def test_what_is_kept_does_not_overlap(given: Candidates, threshold: float) -> None:
    kept = kept_of(given, threshold)
    assert not np.triu(overlapping(given, threshold)[np.ix_(kept, kept)], 1).any()


@nasty
@given(candidates(), st.sampled_from([0.0, 0.4, 0.9]))
def test_what_is_left_out_overlaps_a_surer_one_of_its_group(
    given: Candidates, threshold: float
) -> None:
    kept, scores = kept_of(given, threshold), given.scores.reshape(-1)
    over = overlapping(given, threshold)
    for one in set(np.flatnonzero(scores > -np.inf).tolist()) - set(kept):
        assert any(
            over[surer, one] and (-scores[surer], surer) < (-scores[one], one) for surer in kept
        )


@nasty
@given(candidates())
def test_the_surest_come_first_and_what_is_no_candidate_never(given: Candidates) -> None:
    kept = kept_of(given)
    scores = given.scores.reshape(-1)[kept]
    assert (scores > -np.inf).all()
    assert sorted(zip((-scores).tolist(), kept, strict=True)) == list(
        zip((-scores).tolist(), kept, strict=True)
    )


@nasty
@given(candidates(), st.integers(1, 20))
def test_to_ask_for_fewer_is_to_get_the_first(given: Candidates, most: int) -> None:
    assert kept_of(given, max_kept=most) == kept_of(given)[:most]


@nasty
@given(candidates())
def test_groups_do_not_know_of_each_other(given: Candidates) -> None:
    columns = given.scores.shape[1]
    alone = [
        one * columns + group
        for group, scores in enumerate(given.scores.T)
        for one in kept_of(Candidates(given.boxes, scores[:, None], ZERO))
    ]
    assert sorted(kept_of(given)) == sorted(alone)


ZERO = np.zeros(1, np.intp)


def test_all_in_one_group_compete() -> None:
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 2]], np.float32)
    scores = np.array([[0.5, 0.25], [0.75, 1.0]], np.float32)
    assert kept_of(Candidates(boxes, scores, np.arange(2))) == [3, 2]
    assert kept_of(Candidates(boxes, scores, ZERO)) == [3]


def test_groups_may_be_of_boxes_and_have_any_numbers() -> None:
    boxes = np.zeros((4, 4), np.float32) + np.array([0, 0, 2, 2], np.float32)
    scores = np.array([[0.1], [0.2], [0.3], [0.4]], np.float32)
    groups = np.array([[90], [10**12], [90], [10**12]])
    assert kept_of(Candidates(boxes, scores, groups)) == [3, 2]


@pytest.mark.parametrize("count", [FIRST, FIRST + ROUND + 1, 20_000])
def test_only_the_best_of_a_group_enter(count: int) -> None:
    """The first in the row would be kept if more entered: it overlaps none."""
    rng = np.random.default_rng(0)
    boxes = np.zeros((count, 4), np.float32) + np.array([0, 0, 2, 2], np.float32)
    boxes[0] += 5
    scores = rng.permutation(np.arange(1, count + 1, dtype=np.float32))[:, None]
    better = int((scores > scores[0]).sum())
    given = Candidates(boxes, scores, ZERO)
    best = int(scores.argmax())
    assert kept_of(given, max_candidates=better) == [best]
    assert kept_of(given, max_candidates=better + 1) == [best, 0]


@pytest.mark.parametrize("scores", ["equal", "different"])
def test_candidates_are_taken_in_order_however_many_there_are(scores: str) -> None:
    count = 3 * FIRST + 5 * ROUND
    rng = np.random.default_rng(0)
    lefts = np.arange(count, dtype=np.float32)
    boxes = np.stack([lefts, lefts, lefts + 0.5, lefts + 0.5], axis=1)
    values = rng.permutation(count) if scores == "different" else np.zeros(count)
    given = Candidates(boxes, values[:, None].astype(np.float32), np.arange(count)[:, None])
    assert kept_of(given) == np.argsort(-values, kind="stable").tolist()
