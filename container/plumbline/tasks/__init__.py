"""What a model's output means: one module a task, found by its name in the spec."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from plumbline.spec import ModelSpec
from plumbline.tasks.base import Task
from plumbline.tasks.classification import ClassificationTask

TASKS: Mapping[str, type[Task]] = MappingProxyType({"classification": ClassificationTask})


def make_task(spec: ModelSpec, labels: tuple[str, ...] | None) -> Task:
    """The task that the spec declares."""
    return TASKS[spec.task](spec, labels)
