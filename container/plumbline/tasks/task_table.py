"""The tasks by their names, and which of them suits a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from plumbline.errors import SpecError
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.base import Task
from plumbline.tasks.classification import ClassificationTask
from plumbline.tasks.detection import DetectionTask
from plumbline.tasks.made_pictures import ImageTask
from plumbline.tasks.raw import RawTask
from plumbline.tasks.segmentation import SegmentationTask

TASKS: Mapping[str, type[Task]] = MappingProxyType(
    {
        "classification": ClassificationTask,
        "detection": DetectionTask,
        "segmentation": SegmentationTask,
        "image": ImageTask,
        "raw": RawTask,
    }
)


def suited(spec: ModelSpec, signature: Signature) -> ModelSpec:
    """The spec with its task: the declared one, or that whose table is there, or what it suits.

    Labels alone are a classifier's, unless the outputs say otherwise.
    """
    if "task" in spec.declared:
        return spec
    tables = [name for name in TASKS if name in spec.declared]
    suiting = [name for name, task in TASKS.items() if task.suits(signature)]
    labelled = ["classification"] if "labels" in spec.declared else []
    return replace(spec, task=[*tables, *suiting, *labelled, "raw"][0])


def fitted(spec: ModelSpec, labels: tuple[str, ...] | None, signature: Signature) -> Task:
    """The task that the spec declares, for a model of this signature.

    Raises `SpecError` where it does not fit, with what the outputs look like instead.
    """
    task = make_task(spec, labels)
    try:
        task.fit(signature)
    except SpecError as exc:
        alike = [name for name, kind in TASKS.items() if kind.resembles(signature)]
        if spec.task in alike or not alike:
            raise
        told = " or ".join(f'task = "{name}"' for name in alike)
        raise SpecError(f"{exc} The outputs look like those of {told}.") from exc
    return task


def make_task(spec: ModelSpec, labels: tuple[str, ...] | None) -> Task:
    """The task that the spec declares."""
    return TASKS[spec.task](spec, labels)
