"""Tensors that callers have preprocessed themselves → one batch for each input of the model."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from plumbline.errors import InvalidInstances, RequestError
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.wire.base64_texts import from_base64

FORM = (
    'Send {"instances": [...]}, each instance a tensor, {"b64": "<a picture in base64>"} '
    'or {"url": "<a picture\'s link>"}.'
)


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
                    f"{failed(number, row, names)}Instance {number} must be an object with exactly "
                    f"the model's inputs: {', '.join(sorted(names))}."
                )
        return {
            spec.name: to_tensor([row[spec.name] for row in self.rows], spec)
            for spec in signature.inputs
        }


@dataclass(frozen=True)
class Unframed(Instances):
    """Instances that came without the `{"instances": …}` around them, perhaps by mistake."""

    def tensors(self, signature: Signature) -> Tensors:
        """As of other instances; an error says how they are sent."""
        try:
            return super().tensors(signature)
        except InvalidInstances as exc:
            raise InvalidInstances(f"{exc} {FORM}") from exc


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
class Lines:
    """A row a line, each answered in its line; an error stands for what is not even JSON."""

    rows: tuple[Any, ...]
    signature_name: str | None = None

    def tensors(self, signature: Signature) -> Tensors:
        """All rows as one batch. Raises the first error."""
        for row in self.rows:
            if isinstance(row, RequestError):
                raise row
        return Instances(list(self.rows)).tensors(signature)


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
        if spec.loose:
            alone = self.flat and self.values.shape[1] == 1
            return {spec.name: to_tensor(self.values[:, 0] if alone else self.values, spec)}
        values = self.shaped(spec) if self.flat else self.values
        if values.ndim == len(spec.shape) - 1:
            values = values[np.newaxis]
        return {spec.name: to_tensor(values, spec)}

    def shaped(self, spec: TensorSpec) -> Tensor:
        """The rows in the shape of the input; an axis of any length is as long as they make it."""
        shape, count = spec.shape[1:], self.values.shape[1]
        known = math.prod(length for length in shape if length is not None)
        open_axes = shape.count(None)
        fits = count % known == 0 if open_axes == 1 and known else open_axes == 0 and count == known
        if not fits:
            raise InvalidInstances(
                f"The lines have {self.values.shape[1]} numbers, but the model's input is {spec}: "
                "a line must have as many as one instance of it."
            )
        rest = count // known if open_axes else 0
        return self.values.reshape(-1, *(rest if length is None else length for length in shape))


def is_named(value: Any, signature: Signature) -> bool:
    """Whether this is an object of inputs by name, and not `{"b64": …}` for the only one."""
    if not isinstance(value, dict):
        return False
    return len(signature.inputs) > 1 or signature.input().name in value or "b64" not in value


def failed(number: int, row: Any, names: set[str]) -> str:
    """What TensorFlow Serving says of an instance with an input that the model has not."""
    strange = sorted(row.keys() - names) if isinstance(row, dict) else []
    if not strange:
        return ""
    return f"Failed to process element: {number} key: {strange[0]} of 'instances' list. "


def single_input(signature: Signature) -> TensorSpec:
    """The model's only input. Raises `InvalidInstances` where there are several."""
    if len(signature.inputs) > 1:
        raise InvalidInstances(
            f"The model has {len(signature.inputs)} inputs; give each by its name: "
            f"{', '.join(spec.name for spec in signature.inputs)}."
        )
    return signature.input()


def to_tensor(value: Any, spec: TensorSpec) -> Tensor:
    """One input's batch, of the dtype and shape that the model declares."""
    tensor = value if isinstance(value, np.ndarray) else joined(value, spec)
    if (tensor.dtype == object) != (spec.dtype == TEXT):
        raise of_another_kind(spec)
    check_shape(tensor.shape, spec)
    return tensor if spec.dtype == TEXT else converted(tensor, spec)


def joined(value: Any, spec: TensorSpec) -> Tensor:
    """Rows that are arrays already, of what came as pictures, or lists in lists, as one array."""
    pieces = isinstance(value, list) and {isinstance(row, np.ndarray) for row in value}
    if pieces != {True}:
        return from_lists(value, spec)
    if len({row.shape for row in value}) > 1:
        raise InvalidInstances(f"The instances have several sizes; send each by itself: {spec}.")
    return np.stack(value)


def from_lists(value: Any, spec: TensorSpec) -> Tensor:
    """Lists in lists as an array.

    Not by `numpy.asarray`, which makes room for the longest text in place of every value.
    """
    values, shape = flattened(value, spec)
    if spec.dtype == TEXT:
        flat = np.array([to_bytes(each, spec) for each in values], object)
    else:
        flat = numbers(values, spec)
    check_shape(shape, spec)  # NumPy could not even hold some
    return flat.reshape(shape)


def numbers(values: list[Any], spec: TensorSpec) -> Tensor:
    """Numbers, whole ones for an input of such; nothing is rounded or read from texts."""
    code = ("Q" if spec.dtype == "uint64" else "q") if is_whole(spec.dtype) else "d"
    try:
        return np.array(array(code, values))
    except TypeError as exc:
        raise of_another_kind(spec) from exc
    except OverflowError as exc:
        raise out_of_range(spec) from exc


def flattened(value: Any, spec: TensorSpec) -> tuple[list[Any], tuple[int, ...]]:
    """What stands in lists in lists, and their lengths from the outermost to the innermost."""
    values = [value]
    shape: list[int] = []
    while values and isinstance(values[0], list):
        lengths = {len(each) if isinstance(each, list) else -1 for each in values}
        if len(lengths) > 1:
            raise InvalidInstances(
                f"The instances are ragged; all must have the shape of the model's input {spec}."
            )
        shape.extend(lengths)
        values = list(chain.from_iterable(values))
    return values, tuple(shape)


def to_bytes(value: Any, spec: TensorSpec) -> bytes:
    """A text, or `{"b64": "…"}`, as TensorFlow's strings are; bytes are they already."""
    if isinstance(value, str | bytes):
        return value.encode() if isinstance(value, str) else value
    try:
        return from_base64(value["b64"])
    except (KeyError, TypeError, ValueError) as exc:
        raise InvalidInstances(
            f'The model\'s input is {spec}: each instance must be a text or {{"b64": "…"}}.'
        ) from exc


def converted(tensor: Tensor, spec: TensorSpec) -> Tensor:
    """The tensor in the dtype that the model declares, every value still the same number."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        cast = tensor.astype(spec.dtype)
    whole = is_whole(spec.dtype)
    if not (np.array_equal(cast, tensor) if whole else np.isfinite(cast).all()):
        fractions = whole and tensor.dtype.kind == "f"
        raise of_another_kind(spec) if fractions else out_of_range(spec)
    return cast


def of_another_kind(spec: TensorSpec) -> InvalidInstances:
    """The error for texts instead of numbers, fractions instead of whole ones, and the like."""
    whole = "whole numbers" if is_whole(spec.dtype) else "numbers"
    wanted = 'texts, or {"b64": "…"}' if spec.dtype == TEXT else whole
    return InvalidInstances(
        f"The instances hold values that don't fit the input {spec}; send {wanted}."
    )


def out_of_range(spec: TensorSpec) -> InvalidInstances:
    """The error for numbers that the input's dtype does not have."""
    return InvalidInstances(
        f"The instances hold values outside the range of the input {spec}; send numbers that "
        f"{spec.dtype} has."
    )


def is_whole(dtype: str) -> bool:
    """Whether the dtype holds whole numbers only, or true and false."""
    return dtype.startswith(("int", "uint", "bool"))


def check_shape(shape: tuple[int, ...], spec: TensorSpec) -> None:
    """Raise `InvalidInstances` if the instances have another shape than the input."""
    if not (spec.loose or fits(shape, spec.shape)):
        raise InvalidInstances(
            f"The instances have the shape {list(shape)}, the first axis being their number; the "
            f"model's input is {spec}."
        )


def fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    """Whether a shape is one that is declared, None being any length."""
    return len(shape) == len(declared) and all(
        wanted in (None, length) for length, wanted in zip(shape, declared, strict=True)
    )
