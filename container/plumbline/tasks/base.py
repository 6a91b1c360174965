"""The form that every task has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from plumbline.arrays import Tensors
from plumbline.signature import Signature
from plumbline.spec import ModelSpec


class Task(ABC):
    """Raw outputs → values (what golden pictures are compared by) → results (what callers read)."""

    def __init__(self, spec: ModelSpec, labels: tuple[str, ...] | None) -> None:
        self.spec = spec
        self.labels = labels

    @abstractmethod
    def fit(self, signature: Signature) -> None:
        """Raise `SpecError` if the model's outputs are not what this task reads."""

    @abstractmethod
    def values(self, outputs: Tensors) -> Tensors:
        """The outputs with the activation applied; `[batch, …]`."""

    @abstractmethod
    def results(self, outputs: Tensors, options: Mapping[str, Any]) -> list[Any]:
        """The typed answer for each picture of the batch; `options` are the request's own."""
