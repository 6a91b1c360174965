"""Outputs as they are, for whatever no other task reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.errors import SpecError
from plumbline.results.task_results import Result
from plumbline.signature import TEXT, Signature
from plumbline.tasks.base import Task, as_they_are
from plumbline.vision.arrays import Tensors
from plumbline.vision.geometry import Geometry


class RawTask(Task):
    """All outputs, or the declared one."""

    numbers: tuple[str, ...]

    def fit(self, signature: Signature) -> None:
        """Check the declared output."""
        names = [spec.name for spec in signature.outputs]
        wanted = self.spec.model.output
        if wanted not in (None, *names):
            raise SpecError(
                f"plumbline.toml: [model] output = {wanted!r}, but it must be one of "
                f"{', '.join(names)}; or leave it out, and all are answered."
            )
        if self.spec.acceleration.max_difference == float("inf"):
            raise SpecError(
                "plumbline.toml: acceleration.max_difference = inf lets agreement decide, but with "
                'task = "raw" the meaning of the answers is not known; give a number, such as 0.01.'
            )
        numbers = (spec.name for spec in signature.outputs if spec.dtype != TEXT)
        self.numbers = tuple(name for name in numbers if wanted in (None, name))

    def values(self, outputs: Tensors) -> Tensors:
        """The outputs of numbers; texts can't be off by a little."""
        return {name: outputs[name] for name in self.numbers}

    def results(
        self,
        outputs: Tensors,
        geometries: Sequence[Geometry],
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> list[Result]:
        """All outputs of each picture, or the declared one alone; texts are arrays of objects."""
        wanted = self.spec.model.output
        return as_they_are(
            outputs if wanted is None else {wanted: outputs[wanted]}, len(geometries)
        )
