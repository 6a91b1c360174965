"""Tensors that callers have preprocessed themselves → one batch for each input of the model."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.arrays import Tensor, Tensors
from plumbline.errors import InvalidInstances
from plumbline.signature import TEXT, Signature, TensorSpec


@dataclass(frozen=True)
class Instances:
    """TF Serving's row form: for each instance a value, or an object of all inputs."""

    rows: list[Any]
    signature_name: str | None = None

    def tensors(self, signature: Signature) -> Tensors:
        """The rows as one batch for each of the model's inputs. Raises `InvalidInstances`."""
        names = {spec.name for spec in signature.inputs}
        if not is_named(self.rows[0], signature):
            spec = single_input(signature)
            return {spec.name: to_tensor(self.rows, spec)}
        for number, row in enumerate(self.rows):
            if not isinstance(row, dict) or set(row) != names:
                raise InvalidInstances(
                    f"Instance {number} must be an object with exactly the model's inputs: "
                    f"{', '.join(sorted(names))}."
                )
        return {
            spec.name: to_tensor([row[spec.name] for row in self.rows], spec)
            for spec in signature.inputs
        }


@dataclass(frozen=True)
class Inputs:
    """TF Serving's column form: a whole batch, or an object of one for each input."""

    value: Any
    signature_name: str | None = None

    def tensors(self, signature: Signature) -> Tensors:
        """The batch for each of the model's inputs. Raises `InvalidInstances`."""
        if not is_named(self.value, signature):
            spec = single_input(signature)
            return {spec.name: to_tensor(self.value, spec)}
        names = {spec.name for spec in signature.inputs}
        if set(self.value) != names:
            raise InvalidInstances(
                '"inputs" must be an object with exactly the model\'s inputs: '
                f"{', '.join(sorted(names))}."
            )
        return {spec.name: to_tensor(self.value[spec.name], spec) for spec in signature.inputs}


@dataclass(frozen=True)
class Array:
    """One array: a batch for the model's only input, or one instance of it.

    With `flat`, each row `[batch, values]` holds the values of one instance in a line.
    """

    values: Tensor
    flat: bool = False
    signature_name: str | None = None

    def tensors(self, signature: Signature) -> Tensors:
        """The batch. Raises `InvalidInstances`."""
        spec = single_input(signature)
        values = self.shaped(spec) if self.flat else self.values
        if values.ndim == len(spec.shape) - 1:
            values = values[np.newaxis]
        return {spec.name: to_tensor(values, spec)}

    def shaped(self, spec: TensorSpec) -> Tensor:
        """The rows in the shape of the input."""
        shape = spec.shape[1:]
        count = 1
        for length in shape:
            count *= length or 0
        if self.values.shape[1] != count:
            raise InvalidInstances(
                f"The lines have {self.values.shape[1]} numbers, but the model's input is {spec}: "
                "a line must have as many as one instance of it."
            )
        return self.values.reshape(-1, *(length or 1 for length in shape))


def is_named(value: Any, signature: Signature) -> bool:
    """Whether this is an object of inputs by name, and not `{"b64": …}` for the only one."""
    if not isinstance(value, dict):
        return False
    return len(signature.inputs) > 1 or signature.input().name in value or "b64" not in value


def single_input(signature: Signature) -> TensorSpec:
    """The model's only input. Raises `InvalidInstances` where there are several."""
    if len(signature.inputs) > 1:
        raise InvalidInstances(
            f"The model has {len(signature.inputs)} inputs; give each by its name: "
            f"{', '.join(spec.name for spec in signature.inputs)}."
        )
    return signature.input()


def to_bytes(value: Any, spec: TensorSpec) -> bytes:
    """A text, or `{"b64": "…"}`, as TensorFlow's strings are."""
    if isinstance(value, str):
        return value.encode()
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError) as exc:
        raise InvalidInstances(
            f'The model\'s input is {spec}: each instance must be a text or {{"b64": "…"}}.'
        ) from exc


def to_tensor(value: Any, spec: TensorSpec) -> Tensor:
    """One input's batch, of the dtype and shape that the model declares."""
    if spec.dtype == TEXT and len(spec.shape) == 1 and isinstance(value, list):
        return np.array([to_bytes(each, spec) for each in value], object)
    try:
        tensor = np.asarray(value)
    except ValueError as exc:
        raise InvalidInstances(
            f"The instances are ragged; all must have the shape of the model's input {spec}."
        ) from exc
    if tensor.dtype.kind not in "biuf" or (tensor.dtype.kind == "f" and is_integer(spec.dtype)):
        raise InvalidInstances(f"The instances hold values that don't fit the input {spec}.")
    if not fits(tensor.shape, spec.shape):
        raise InvalidInstances(
            f"The instances have the shape {list(tensor.shape)}, the first axis being their "
            f"number; the model's input is {spec}."
        )
    return converted(tensor, spec)


def converted(tensor: Tensor, spec: TensorSpec) -> Tensor:
    """The tensor in the dtype that the model declares, every value still the same number."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        cast = tensor.astype(spec.dtype)
    whole = is_integer(spec.dtype)
    if not (np.array_equal(cast, tensor) if whole else np.isfinite(cast).all()):
        raise InvalidInstances(f"The instances hold values outside the range of the input {spec}.")
    return cast


def is_integer(dtype: str) -> bool:
    """Whether the dtype holds whole numbers only."""
    return dtype.startswith(("int", "uint"))


def fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    """Whether a shape is one that is declared, None being any length."""
    return len(shape) == len(declared) and all(
        wanted in (None, length) for length, wanted in zip(shape, declared, strict=True)
    )
