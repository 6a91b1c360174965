"""An answer in each form that it can take says the same as the result that it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plumbline.drift import baseline
from plumbline.drift.baseline import Baseline
from plumbline.drift.picture_summary import Observation, said
from plumbline.errors import NotAnImage
from plumbline.monitoring.told_answers import OfAnother, Untold, observations
from plumbline.results.task_results import Classes, Detections, Failure, Result, Segments
from plumbline.vision.geometry import Geometry
from plumbline.wire.responses import FORMS

NAMES = ("cat", 'a "dog", or\n<b>', "bee")


def classes(best: int) -> Classes:
    scores = np.full(3, 0.125, np.float32)
    scores[best] = 0.75
    order = (best, *(k for k in range(3) if k != best))
    return Classes(scores, order, tuple(NAMES[k] for k in order))


def detections(*found: int) -> Detections:
    scores = np.linspace(0.9, 0.5, len(found), dtype=np.float32)
    boxes = np.tile(np.array([1.0, 2.0, 5.0, 6.0]), (len(found), 1))
    labels = tuple(NAMES[k] for k in found)
    return Detections(boxes, scores, np.array(found, int), labels, Geometry.whole((8, 8)))


def segments(*rows: int) -> Segments:
    mask = np.repeat(np.array(rows, np.uint8)[:, None], 8, axis=1)
    return Segments(mask, NAMES, ((0, 0, 0),) * 3, Geometry.whole(mask.shape))


RESULTS: dict[str, list[Result]] = {
    "classification": [classes(0), classes(2), classes(1)],
    "detection": [detections(0, 2, 2), detections(1), detections(2, 0)],
    "segmentation": [segments(0, 0, 1, 2), segments(0, 0, 0, 2), segments(1, 1, 1, 0)],
}
FORMATS = ("application/json", "application/jsonlines", "text/csv")


def usual(task: str) -> Baseline:
    return baseline.of(task, [said(each) for each in RESULTS[task]])


def written(results: list[Result], media_type: str, style: str = "typed") -> bytes:
    form = FORMS[media_type]
    parts = [form.part(result, number, style) for number, result in enumerate(results)]
    return form.whole(parts, len(results) == 1)


def plain(found: Observation | None) -> Any:
    """What can be compared: numbers, and the weight of each class."""
    if found is None:
        return None
    numbers = {name: pytest.approx(value, rel=1e-6) for name, value in found.numbers.items()}
    weights: dict[int, float] = {}
    for index, _, weight in found.classes:
        weights[index] = weights.get(index, 0) + weight
    return numbers, {key: pytest.approx(value, rel=1e-6) for key, value in weights.items()}


@pytest.mark.parametrize("style", ["typed", "builtin"])
@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize("task", RESULTS)
def test_pictures_that_were_answered_together(task: str, media_type: str, style: str) -> None:
    results = RESULTS[task]

    found = observations(written(results, media_type, style), media_type, usual(task))

    assert list(map(plain, found)) == [plain(said(each)) for each in results]


@pytest.mark.parametrize("media_type", [*FORMATS, "application/x-npy"])
@pytest.mark.parametrize("task", RESULTS)
def test_a_picture_that_was_answered_alone(task: str, media_type: str) -> None:
    result = RESULTS[task][0]

    for style in ("typed", "builtin"):
        answer = written([result], media_type, style)
        (found,) = observations(answer, f"{media_type}; charset=utf-8", usual(task))
        assert plain(found) == plain(said(result))


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize("task", RESULTS)
def test_a_picture_that_was_refused_is_none(task: str, media_type: str) -> None:
    results = [RESULTS[task][0], Failure(NotAnImage("That is no picture.")), RESULTS[task][1]]

    found = observations(written(results, media_type), media_type, usual(task))

    assert [each is None for each in found] == [False, True, False]


def test_a_picture_without_boxes_counts_as_one_without_boxes() -> None:
    answer = written([detections()], "application/json")
    found = observations(answer, "application/json", usual("detection"))
    assert list(map(plain, found)) == [({"detections": 0.0}, {})]

    rows = written([detections(), detections(1)], "text/csv")
    nothing, one = observations(rows, "text/csv", usual("detection"))
    assert nothing == Observation({"detections": 0.0})
    assert one
    assert one.numbers["detections"] == 1


@pytest.mark.parametrize("task", RESULTS)
@pytest.mark.parametrize("other", RESULTS)
def test_an_answer_of_another_task_is_of_another_model(task: str, other: str) -> None:
    if task != other:
        answer = written(RESULTS[other], "application/json")
        with pytest.raises(OfAnother):
            observations(answer, "application/json", usual(task))


def test_an_answer_with_other_labels_is_of_another_model() -> None:
    scores = np.array([0.1, 0.9, 0.0], np.float32)
    answer = written([Classes(scores, (1,), ("aeroplane",))], "application/json")

    with pytest.raises(OfAnother):
        observations(answer, "application/json", usual("classification"))


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"null", b"[]", b"true", b'{"predictions": 7}', b'{"predictions": [{}]}',
     b'{"predictions": [{"classes": [{}]}]}', b'{"prediction": {"a": 1}}', b'{"prediction": []}',
     b'{"predictions": [{"classes": [{"class_id": 1e999, "score": 1, "label": 2}]}]}'],
)  # fmt: skip
@pytest.mark.parametrize("task", RESULTS)
def test_what_no_model_of_ours_answers_is_of_another(answer: bytes, task: str) -> None:
    for media_type in FORMATS:
        try:
            found = observations(answer, media_type, usual(task))
        except OfAnother:
            continue
        assert all(each is None or not each.classes for each in found)


def test_a_drawing_says_nothing_of_classes() -> None:
    with pytest.raises(Untold):
        observations(b"\x89PNG", "image/png", usual("classification"))
