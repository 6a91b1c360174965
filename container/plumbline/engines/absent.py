"""What stands for an engine where a user's handler loads the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import InvalidInstances
from plumbline.signature import Signature, TensorSpec
from plumbline.vision.arrays import Tensors


@dataclass(frozen=True)
class AbsentEngine:
    """Nothing is known of its inputs and outputs."""

    name: str = "handler"

    @property
    def signature(self) -> Signature:
        """Something in, something out."""
        return Signature(
            (TensorSpec("data", (None,), "float32"),),
            (TensorSpec("prediction", (None,), "float32"),),
        )

    @property
    def others(self) -> Mapping[str, Engine]:
        """None."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:  # noqa: ARG002
        """Raises `InvalidInstances`."""
        raise InvalidInstances("This model is loaded and run by a handler; ask at /invocations.")
