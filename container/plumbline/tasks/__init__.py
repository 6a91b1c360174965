"""What a model's output means: one module a task, found by its name in the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from plumbline.signature import Signature
from plumbline.spec import ModelSpec
from plumbline.tasks.base import Task
from plumbline.tasks.classification import ClassificationTask
from plumbline.tasks.raw import RawTask

TASKS: Mapping[str, type[Task]] = MappingProxyType(
    {"classification": ClassificationTask, "raw": RawTask}
)


def suited(spec: ModelSpec, signature: Signature) -> ModelSpec:
    """The spec with its task; where nobody declared one, what the model looks like decides."""
    if spec.declared & {"task", "labels", "classification"} or ClassificationTask.suits(signature):
        return spec
    return replace(spec, task="raw")


def make_task(spec: ModelSpec, labels: tuple[str, ...] | None) -> Task:
    """The task that the spec declares."""
    return TASKS[spec.task](spec, labels)
