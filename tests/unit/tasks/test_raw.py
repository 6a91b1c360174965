"""Outputs as they are, and which task a model gets that declares none."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.errors import SpecError
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelChoice, ModelSpec, parse
from plumbline.tasks.raw import RawTask
from plumbline.tasks.task_table import make_task, suited
from plumbline.vision.arrays import Tensors
from plumbline.vision.geometry import Geometry
from plumbline.wire.responses import to_json

IMAGE = TensorSpec("image", (None, 8, 8, 3), "float32")
MASK = TensorSpec("mask", (None, 2, 2), "float32")
SCORES = TensorSpec("scores", (None, 3), "float32")
WORDS = TensorSpec("words", (None,), "string")
CLASSIFIER = Signature((IMAGE,), (SCORES,))
SEGMENTER = Signature((IMAGE,), (MASK,))
OUTPUTS = {
    "mask": np.arange(8, dtype=np.float32).reshape(2, 2, 2),
    "words": np.array([b"cat", b"dog"], object),
}


def fitted(output: str | None = None) -> RawTask:
    """A raw task for a mask and words."""
    task = RawTask(ModelSpec(task="raw", model=ModelChoice(output=output)), None)
    task.fit(Signature((IMAGE,), (MASK, WORDS)))
    return task


@pytest.mark.parametrize(
    ("text", "signature", "task"),
    [
        ("", CLASSIFIER, "classification"),
        ("", Signature((IMAGE,), (SCORES, WORDS)), "classification"),
        ("", SEGMENTER, "raw"),
        ("", Signature((IMAGE, MASK), (SCORES,)), "raw"),
        ('task = "raw"', CLASSIFIER, "raw"),
        ('task = "classification"', SEGMENTER, "classification"),
        ('labels = ["cat", "dog"]', SEGMENTER, "classification"),
    ],
)
def test_what_is_declared_counts_and_else_the_look_of_the_model(
    text: str, signature: Signature, task: str
) -> None:
    assert suited(parse(text), signature).task == task


def test_any_difference_is_no_budget_where_nobody_knows_what_answers_mean() -> None:
    spec = parse('task = "raw"\n[acceleration]\nmax_difference = inf')
    with pytest.raises(SpecError, match="give a number") as caught:
        RawTask(spec, None).fit(Signature((IMAGE,), (MASK,)))
    assert caught.value.message.startswith("plumbline.toml: acceleration.max_difference = inf")


def shown(task: RawTask, outputs: Tensors, count: int = 2) -> list[bytes]:
    """The JSON for each picture."""
    found = task.results(outputs, [Geometry.whole((8, 8))] * count, {})
    return [to_json(result.typed()) for result in found]


def test_several_outputs_are_an_object_for_each_picture() -> None:
    assert shown(fitted(), OUTPUTS) == [
        b'{"mask":[[0.0,1.0],[2.0,3.0]],"words":"cat"}',
        b'{"mask":[[4.0,5.0],[6.0,7.0]],"words":"dog"}',
    ]


def test_the_declared_output_is_answered_alone() -> None:
    assert shown(fitted("words"), OUTPUTS) == [b'"cat"', b'"dog"']


def test_a_single_number_keeps_its_digits() -> None:
    task = RawTask(ModelSpec(task="raw"), None)
    task.fit(Signature((IMAGE,), (TensorSpec("age", (None,), "float32"),)))
    outputs = {"age": np.array([0.1, 36.6], np.float32)}
    assert shown(task, outputs) == [b"0.1", b"36.6"]
    [young, _] = task.results(outputs, [Geometry.whole((8, 8))] * 2, {})
    assert young.array().shape == ()


def test_an_output_without_a_batch_axis_is_the_same_of_all_pictures() -> None:
    outputs = {"mask": OUTPUTS["mask"], "priors": np.array([7, 8, 9]), "version": np.array(3)}
    assert shown(fitted(), outputs) == [
        b'{"mask":[[0.0,1.0],[2.0,3.0]],"priors":[7,8,9],"version":3}',
        b'{"mask":[[4.0,5.0],[6.0,7.0]],"priors":[7,8,9],"version":3}',
    ]


def test_golden_pictures_are_compared_by_numbers_alone() -> None:
    assert list(fitted().values(OUTPUTS)) == ["mask"]


def test_an_output_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match="must be one of mask, words"):
        fitted("masks")


def test_the_declared_task_is_made() -> None:
    assert isinstance(make_task(suited(ModelSpec(), SEGMENTER), None), RawTask)
