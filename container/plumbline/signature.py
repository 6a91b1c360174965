"""What a model takes and gives: names, shapes and dtypes."""

from __future__ import annotations

from dataclasses import dataclass, replace

TEXT = "string"
"""The dtype of TensorFlow's texts and bytes."""

PREDICT = "tensorflow/serving/predict"
"""What TensorFlow calls a signature of tensors; others take examples."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output; None in `shape` is any length, as of the batch axis.

    With `loose`, other shapes may be fed, too; one without any axes then tells nothing.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    loose: bool = False

    def __str__(self) -> str:
        if self.loose and not self.shape:
            return f"{self.name}: {self.dtype} of any shape"
        axes = ", ".join("?" if length is None else str(length) for length in self.shape)
        return f"{self.name}: {self.dtype} [{axes}]"


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs of a model."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    method: str = PREDICT

    def input(self) -> TensorSpec:
        """The input that pictures go to."""
        return self.inputs[0]

    def of_bytes(self) -> Signature:
        """The same with that input in uint8."""
        first, *others = self.inputs
        return replace(self, inputs=(replace(first, dtype="uint8"), *others))
