"""What each task's answers mean, and how far those of two models agree."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import parse
from plumbline.tasks.base import Task
from plumbline.tasks.task_table import fitted
from plumbline.vision.arrays import Tensors
from plumbline.vision.geometry import Geometry

PICTURE = TensorSpec("picture", (None, 8, 8, 3), "float32")


def task(text: str, *outputs: TensorSpec) -> Task:
    """The task that a spec declares for a model with these outputs."""
    return fitted(parse(text), None, Signature((PICTURE,), outputs))


def agreement(judge: Task, *pairs: tuple[Tensors, Tensors]) -> float:
    """Of the outputs for some pictures, the original's first."""
    geometry = Geometry.whole((8, 8))
    return judge.agreement(
        tuple(judge.gist(outputs, geometry) for outputs in pair)  # type: ignore[misc]
        for pair in pairs
    )


def scores(*values: float) -> Tensors:
    """A classifier's output for one picture."""
    return {"scores": np.array([values], np.float32)}


def test_classifiers_agree_where_the_first_class_is_the_same() -> None:
    judge = task('task = "classification"', TensorSpec("scores", (None, 3), "float32"))

    same = (scores(0.1, 0.8, 0.1), scores(0.3, 0.4, 0.3))
    other = (scores(0.1, 0.8, 0.1), scores(0.5, 0.4, 0.1))

    assert agreement(judge, same, same, same, other) == 0.75


def test_classifiers_agree_that_nothing_reaches_its_threshold() -> None:
    text = 'task = "classification"\n[classification]\nthreshold = 0.5'
    judge = task(text, TensorSpec("scores", (None, 3), "float32"))

    assert agreement(judge, (scores(0.1, 0.4, 0.1), scores(0.3, 0.2, 0.3))) == 1
    assert agreement(judge, (scores(0.1, 0.4, 0.1), scores(0.1, 0.6, 0.1))) == 0


def boxes(*rows: tuple[float, float, float, float, float, float]) -> Tensors:
    """A detector's output for one picture: rows of class, score, corners from 0 to 1."""
    return {"rows": np.array([rows], np.float32)}


CAT = (0, 0.9, 0.1, 0.1, 0.5, 0.5)
DOG = (1, 0.8, 0.4, 0.4, 0.9, 0.9)
UNSURE = (1, 0.1, 0.0, 0.0, 0.2, 0.2)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((CAT, DOG), 1.0),
        ((DOG, CAT), 1.0),
        ((CAT, DOG, UNSURE), 1.0),
        ((CAT, UNSURE), 0.5),
        ((UNSURE,), 0.0),
    ],
)
def test_detectors_agree_in_the_boxes_that_are_answered(
    found: tuple[tuple[float, float, float, float, float, float], ...], expected: float
) -> None:
    text = 'task = "detection"\n[detection]\nformat = "builtin"'
    judge = task(text, TensorSpec("rows", (None, None, 6), "float32"))

    assert agreement(judge, (boxes(CAT, DOG), boxes(*found))) == pytest.approx(expected)


def test_segmenters_agree_by_the_iou_over_all_pictures() -> None:
    text = 'task = "segmentation"\n[segmentation]\nthreshold = 0.5'
    judge = task(text, TensorSpec("mask", (None, 2, 2, 1), "float32"))
    empty, full, half = (
        {"mask": np.reshape(np.array(values, np.float32), (1, 2, 2, 1))}
        for values in ([0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0])
    )

    assert agreement(judge, (full, full), (empty, empty)) == 1
    # class 1: 6 of 8 pixels; class 0: 4 of 6
    assert agreement(judge, (full, full), (empty, empty), (full, half)) == pytest.approx(
        (6 / 8 + 4 / 6) / 2
    )


def test_nobody_knows_what_raw_outputs_mean() -> None:
    judge = task('task = "raw"', TensorSpec("scores", (None, 3), "float32"))
    assert agreement(judge, (scores(1, 2, 3), scores(3, 2, 1))) == 1
