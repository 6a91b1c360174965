"""The bytes of an answer → what is counted of it, picture by picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import orjson

from plumbline.drift.baseline import Baseline, clean
from plumbline.drift.picture_summary import DETECTIONS, TOP_SCORE, Observation, Share
from plumbline.wire.media_types import media_type
from plumbline.wire.npy import read_array
from plumbline.wire.responses import CSV, JSON, JSON_LINES, NPY

LISTS = {"classes": "classification", "detections": "detection", "segments": "segmentation"}
"""Which task an answer is of, by the list in it."""


class OfAnother(Exception):
    """An answer of another model: of another task, or with other labels."""


class Untold(Exception):
    """An answer that says nothing of classes or boxes, as a drawing doesn't."""


Observations = list[Observation | None]
"""Of each picture of a request; None for one that was refused."""


def observations(answer: bytes, content_type: str, usual: Baseline) -> Observations:
    """What is counted of each picture of an answer. Raises `OfAnother` or `Untold`."""
    kind = media_type(content_type)
    reader = READERS.get(kind)
    if reader is None or usual.task not in LISTS.values():
        raise Untold
    try:
        found = reader(answer, usual)
    except OfAnother:
        raise
    except Exception as exc:  # answers may be anything, and so may what NumPy says of them
        raise OfAnother from exc
    check_labels(found, usual)
    return found


def check_labels(found: Observations, usual: Baseline) -> None:
    """Raise `OfAnother` where a class has another label than it had when the model was packed."""
    known = {one.class_id: one.label for one in usual.classes}
    for one in found:
        for index, label, _ in one.classes if one else ():
            if known.get(index, clean(label)) != clean(label):
                raise OfAnother


# -- forms ----------------------------------------------------------------------------------------


def from_json(answer: bytes, usual: Baseline) -> Observations:
    """`{"predictions": […]}`, or SageMaker's own `{"prediction": …}` of a single picture."""
    document = orjson.loads(answer)
    predictions = document.get("predictions", [document])
    return [of_document(each, usual) for each in predictions]


def from_lines(answer: bytes, usual: Baseline) -> Observations:
    """A document a line."""
    return [of_document(orjson.loads(line), usual) for line in answer.splitlines() if line.strip()]


def from_npy(answer: bytes, usual: Baseline) -> Observations:
    """Scores `[classes]` or `[pictures, classes]`, rows `[boxes, 6]`, masks."""
    array = np.asarray(read_array(answer, 0).values)
    alone = {"classification": 1, "detection": 2, "segmentation": 2}[usual.task]
    pictures = [array] if array.ndim == alone else list(array)
    return [BUILTIN[usual.task](each, usual) for each in pictures]


def from_csv(answer: bytes, usual: Baseline) -> Observations:
    """Lines of scores, or of boxes and shares that begin with the number of their picture."""
    rows = [row for row in csv.reader(io.StringIO(answer.decode())) if row]
    if usual.task == "classification":
        return [
            None if row[1:2] == ["error"] else of_scores(np.array(row, np.float64), usual)
            for row in rows
        ]
    return list(of_rows(rows, usual))


def of_rows(rows: Sequence[Sequence[str]], usual: Baseline) -> Iterator[Observation | None]:
    """The pictures of such lines; one without a line has nothing in it."""
    number = -1
    for key, group in groupby(rows, key=lambda row: int(row[0])):
        for _ in range(number + 1, key):
            yield empty(usual)
        number, lines = key, list(group)
        if lines[0][1] == "error":
            yield None
        elif usual.task == "detection":
            scores = [float(line[2]) for line in lines]
            yield boxes(scores, [Share(int(line[1]), line[7], 1.0) for line in lines])
        else:
            yield Observation({}, [Share(int(row[1]), row[4], float(row[3])) for row in lines])


def empty(usual: Baseline) -> Observation:
    """A picture in which nothing was found."""
    return Observation({DETECTIONS: 0.0}) if usual.task == "detection" else Observation()


def of_document(document: Mapping[str, Any], usual: Baseline) -> Observation | None:
    """One prediction."""
    if "error" in document:
        return None
    if "prediction" in document:
        return BUILTIN[usual.task](np.asarray(document["prediction"], np.float64), usual)
    (key,) = LISTS.keys() & document.keys()
    if LISTS[key] != usual.task:
        raise OfAnother
    found = document[key]
    weights = [float(one["area"]) if key == "segments" else 1.0 for one in found]
    shares = [
        Share(int(one["class_id"]), str(one["label"]), weight)
        for one, weight in zip(found, weights, strict=True)
    ]
    if key == "segments":
        return Observation({}, shares)
    scores = [float(one["score"]) for one in found]
    if key == "detections":
        return boxes(scores, shares)
    return Observation({TOP_SCORE: scores[0]}, shares[:1]) if scores else Observation()


def boxes(scores: Sequence[float], shares: Sequence[Share]) -> Observation:
    """What is counted of boxes, the surest first."""
    numbers = {DETECTIONS: float(len(scores))}
    return Observation({**numbers, TOP_SCORE: scores[0]} if scores else numbers, shares)


def named(index: int, usual: Baseline) -> str:
    """A class's label, where only its number is told."""
    known = {one.class_id: one.label for one in usual.classes}
    return known.get(index, str(index))


def of_scores(scores: np.ndarray[Any, Any], usual: Baseline) -> Observation:
    """What is counted of all scores `[classes]`."""
    if scores.ndim != 1:
        raise OfAnother
    best = int(scores.argmax())
    return Observation({TOP_SCORE: float(scores[best])}, (Share(best, named(best, usual), 1.0),))


def of_box_rows(rows: np.ndarray[Any, Any], usual: Baseline) -> Observation:
    """The same of rows `[boxes, 6]` that begin with class and score."""
    if rows.size and (rows.ndim, rows.shape[1]) != (2, 6):
        raise OfAnother
    found = rows.reshape(-1, 6)
    indices = [int(each) for each in found[:, 0]]
    return boxes(found[:, 1].tolist(), [Share(each, named(each, usual), 1.0) for each in indices])


def of_mask(mask: np.ndarray[Any, Any], usual: Baseline) -> Observation:
    """The same of a mask `[height, width]`."""
    if mask.ndim != 2:
        raise OfAnother
    indices, counts = np.unique(mask.astype(np.int64), return_counts=True)
    return Observation(
        {},
        [
            Share(int(index), named(int(index), usual), float(count) / mask.size)
            for index, count in zip(indices, counts, strict=True)
        ],
    )


BUILTIN: Mapping[str, Callable[[Any, Baseline], Observation]] = {
    "classification": of_scores,
    "detection": of_box_rows,
    "segmentation": of_mask,
}

READERS: Mapping[str, Callable[[bytes, Baseline], Observations]] = {
    JSON: from_json,
    JSON_LINES: from_lines,
    CSV: from_csv,
    NPY: from_npy,
}
