"""OpenVINO may compute what was never packed if it is near enough to TensorFlow, and means it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from plumbline.errors import EngineError
from plumbline.loading.never_packed import Answer, Original, check
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import parse
from plumbline.tasks.task_table import fitted
from plumbline.vision.geometry import Geometry

SIGNATURE = Signature(
    (TensorSpec("picture", (None, 8, 8, 3), "float32"),),
    (TensorSpec("scores", (None, 2), "float32"),),
)

GEOMETRY = Geometry.whole((8, 8))


def predictor(found: list[float], budget: str) -> Any:
    """What answers every picture so."""
    spec = parse(f'task = "classification"\n[acceleration]\n{budget}\n')
    outputs = {"scores": np.array([found], np.float32)}
    return SimpleNamespace(
        spec=spec,
        task=fitted(spec, None, SIGNATURE),
        alone=lambda picture, left: (outputs, GEOMETRY),
    )


def original(asked: Any, said: list[float]) -> Original:
    """TensorFlow, which says so of two pictures."""
    outputs = {"scores": np.array([said], np.float32)}
    [values] = asked.task.readings(outputs, GEOMETRY)
    answer = Answer(values, asked.task.gist(outputs, GEOMETRY))
    return Original(frozenset(), [b"1", b"2"], [answer, answer])


@pytest.mark.parametrize(
    ("found", "budget"),
    [
        ([0.7, 0.3], ""),
        ([0.75, 0.25], "max_difference = 0.0625"),
        ([0.6, 0.4], "max_difference = inf"),
        ([0.4, 0.6], "max_difference = inf\nmin_agreement = 0.0"),
    ],
)
def test_what_is_within_the_budget_may_serve(found: list[float], budget: str) -> None:
    asked = predictor(found, budget)
    assert check(asked, original(asked, [0.7, 0.3])) == pytest.approx(abs(found[0] - 0.7), abs=1e-6)


@pytest.mark.parametrize(
    ("found", "budget", "said"),
    [
        ([0.75, 0.25], "max_difference = 0.03125", "the agreement is 1, and must be 1"),
        (
            [0.4, 0.6],
            "max_difference = inf\nmin_agreement = 0.5",
            "the agreement is 0, and must be 0.5",
        ),
    ],
)
def test_what_is_further_off_or_means_something_else_may_not(
    found: list[float], budget: str, said: str
) -> None:
    asked = predictor(found, budget)
    with pytest.raises(EngineError, match=r"^OpenVINO answers otherwise for 2 pictures: in") as why:
        check(asked, original(asked, [0.7, 0.3]))
    assert said in why.value.message
