"""Whatever a task can't read, its error says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.errors import SpecError
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import TASKS, fitted

IMAGE = TensorSpec("image", (None, 8, 8, 3), "float32")
AGE = TensorSpec("age", (None, 1), "float32")

ODD = {
    "volumes": (TensorSpec("volumes", (None, 4, 4, 4, 2), "float32"),),
    "texts": (TensorSpec("words", (None,), "string"),),
    "numbers": (TensorSpec("loss", (), "float32"),),
    "several": (TensorSpec("a", (None, 4, 7), "float32"), TensorSpec("b", (None, 7), "float32")),
}
"""Outputs that no task reads."""

READING = sorted(TASKS.keys() - {"raw"})


def refused(task: str, signature: Signature) -> str:
    with pytest.raises(SpecError) as caught:
        fitted(ModelSpec(task=task, declared=frozenset({"task"})), None, signature)
    return caught.value.message


@pytest.mark.parametrize("outputs", ODD.values(), ids=ODD)
@pytest.mark.parametrize("task", READING)
def test_outputs_that_no_task_reads_can_be_answered_as_they_are(
    task: str, outputs: tuple[TensorSpec, ...]
) -> None:
    assert 'task = "raw"' in refused(task, Signature((IMAGE,), outputs))


@pytest.mark.parametrize("task", READING)
def test_of_several_inputs_the_others_can_have_a_value(task: str) -> None:
    scores = (TensorSpec("scores", (None, 3), "float32"),)
    message = refused(task, Signature((AGE, IMAGE), scores))
    assert '[model] constants = {"age" = 0}' in message
    assert 'task = "raw"' in message


def test_the_page_has_the_section_that_errors_name() -> None:
    page = Path(__file__).parents[3] / "docs" / "archive.md"
    volumes = Signature((IMAGE,), ODD["volumes"])
    assert "(docs/archive.md, Other outputs)" in refused("classification", volumes)
    assert "\n## Other outputs\n" in page.read_text("utf-8")
