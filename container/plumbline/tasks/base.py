"""The form that every task has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plumbline.parity.agreement import Pairs
from plumbline.results.task_results import Result, Values
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.geometry import Geometry
from plumbline.wire.request_options import RAW


class Task(ABC):
    """Raw outputs → values (what golden pictures are compared by) → results (what callers read)."""

    def __init__(self, spec: ModelSpec, labels: tuple[str, ...] | None) -> None:
        self.spec = spec
        self.labels = labels

    @abstractmethod
    def fit(self, signature: Signature) -> None:
        """Raise `SpecError` if the model's outputs are not what this task reads."""

    @classmethod
    def suits(cls, signature: Signature) -> bool:  # noqa: ARG003
        """Whether a model's outputs say by themselves that this is its task."""
        return False

    @classmethod
    def resembles(cls, signature: Signature) -> bool:  # noqa: ARG003
        """Whether this could be the model's task, by the shapes of its outputs."""
        return False

    @abstractmethod
    def values(self, outputs: Tensors) -> Tensors:
        """What golden pictures are compared by: the outputs, activated; `[batch, …]`."""

    @abstractmethod
    def results(
        self, outputs: Tensors, geometries: Sequence[Geometry], options: Mapping[str, Any]
    ) -> list[Result]:
        """The answer for each picture of the batch; `options` are the request's own."""

    def answers(
        self, outputs: Tensors, geometries: Sequence[Geometry], options: Mapping[str, Any]
    ) -> list[Result]:
        """The results, or with `format=raw` the outputs as they are."""
        if options.get("format") == RAW:
            return as_they_are(outputs, len(geometries))
        return self.results(outputs, geometries, options)

    def readings(self, outputs: Tensors, geometry: Geometry) -> tuple[Tensors, ...]:  # noqa: ARG002
        """What a user's own code may have given for this one picture; golden pictures hold it."""
        return (self.values(outputs),)

    def gist(self, outputs: Tensors, geometry: Geometry) -> Tensor:  # noqa: ARG002
        """What this one picture's answer means to whoever asked, as `agreement` takes it."""
        return np.zeros(0)

    def unlabelled(self, gist: Tensor) -> Sequence[int]:  # noqa: ARG002
        """The classes in an answer that have no label, though others have one."""
        return ()

    def agreement(self, pairs: Pairs) -> float:  # noqa: ARG002
        """How far gists of the same pictures agree, the first of each pair being the truth: 0..1.

        See `plumbline.parity.agreement`; where nothing is known of what outputs mean, they agree.
        """
        return 1.0


def as_they_are(outputs: Tensors, count: int) -> list[Result]:
    """The outputs `[batch, …]` of so many pictures, taken apart."""
    return [
        Values({name: row(values, number, count) for name, values in outputs.items()})
        for number in range(count)
    ]


def row(values: Tensor, number: int, count: int) -> Tensor:
    """What an output says of one picture of `count`; without a batch axis it is the same of all."""
    return values[number, ...] if values.shape[:1] == (count,) else values
