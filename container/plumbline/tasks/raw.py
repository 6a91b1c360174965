"""Outputs as they are, for whatever no other task reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.arrays import Tensors
from plumbline.errors import SpecError
from plumbline.responses import tensor_rows
from plumbline.signature import TEXT, Signature
from plumbline.tasks.base import Task


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
                f"{', '.join(names)}."
            )
        numbers = (spec.name for spec in signature.outputs if spec.dtype != TEXT)
        self.numbers = tuple(name for name in numbers if wanted in (None, name))

    def values(self, outputs: Tensors) -> Tensors:
        """The outputs of numbers; texts can't be off by a little."""
        return {name: outputs[name] for name in self.numbers}

    def results(self, outputs: Tensors, options: Mapping[str, Any]) -> list[Any]:  # noqa: ARG002
        """As TensorFlow Serving answers: for each picture a value, or an object of all outputs."""
        wanted = self.spec.model.output
        return list(tensor_rows(outputs if wanted is None else {wanted: outputs[wanted]}))
