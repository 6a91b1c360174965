"""Examples in JSON → serialised `tf.Example`s, for signatures that classify or regress by them.

A `tf.Example` is a protocol buffer; its fields are those of TensorFlow's `feature.proto`. The
errors say what TensorFlow Serving says.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from plumbline.errors import InvalidInstances
from plumbline.signature import TEXT, Signature
from plumbline.vision.arrays import Tensors

INPUT = "inputs"
"""What TensorFlow calls the only input of such a signature."""


@dataclass(frozen=True)
class Kind:
    """What a method's signature is called, and its results made of its outputs."""

    noun: str
    name: str
    results: Callable[[Tensors], Any]


@dataclass(frozen=True)
class Examples:
    """Serialised examples; `method` is "classify" or "regress"."""

    rows: tuple[bytes, ...]
    method: str
    signature_name: str | None = None

    def tensors(self, signature: Signature) -> Tensors:
        """All as one batch of texts. Raises `InvalidInstances` for a signature of another kind."""
        kind = KINDS[self.method]
        if signature.method != kind.name:
            raise InvalidInstances(
                f"Expected {kind.noun} signature method_name to be {kind.name}. "
                f"Was: {signature.method}. Ask for predict, or choose another signature_name."
            )
        if [(spec.name, spec.dtype) for spec in signature.inputs] != [(INPUT, TEXT)]:
            raise InvalidInstances(
                f"Expected one input Tensor, called {INPUT}, of serialised examples."
            )
        return {INPUT: np.array([*self.rows, b""], object)[:-1]}

    def answer(self, outputs: Tensors) -> dict[str, Any]:
        """TensorFlow Serving's results. Raises `InvalidInstances` where the outputs are others."""
        results = KINDS[self.method].results(outputs)
        if len(results) != len(self.rows):
            raise InvalidInstances(
                f"Expected output batch size to be {len(self.rows)}. Got: {len(results)}"
            )
        return {"results": results}


def classes(outputs: Tensors) -> Any:
    """Of each example the pairs of label and score; what the model does not give is "" or 0."""
    given = [outputs[name] for name in ("classes", "scores") if name in outputs]
    if not given or any(one.ndim != 2 or one.shape != given[0].shape for one in given):
        raise InvalidInstances(
            "Expected Tensor shape: [batch_size num_classes] of classes or scores but got "
            + described(outputs)
        )
    labels = outputs.get("classes", np.full(given[0].shape, ""))
    scores = outputs.get("scores", np.zeros(given[0].shape, np.float32))
    return [
        [[label, score] for label, score in zip(*row, strict=True)]
        for row in zip(labels.tolist(), scores, strict=True)
    ]


def values(outputs: Tensors) -> Any:
    """The number for each example."""
    found = outputs.get("outputs")
    if found is None or not (found.ndim == 1 or (found.ndim == 2 and found.shape[1] == 1)):
        raise InvalidInstances(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            + described(outputs)
        )
    return found.reshape(-1)


def described(outputs: Tensors) -> str:
    """The outputs with their shapes."""
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in outputs.items())


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "classify": Kind("classification", "tensorflow/serving/classify", classes),
        "regress": Kind("regression", "tensorflow/serving/regress", values),
    }
)
"""What a method of TensorFlow Serving's asks for."""


def serialised(example: Any) -> bytes:
    """An object of features as a `tf.Example`. Raises `InvalidInstances`."""
    if not isinstance(example, dict):
        raise InvalidInstances(f"Example must be JSON object but got JSON {json_type(example)}")
    features = (
        field(1, field(1, name.encode()) + field(2, feature(name, value)))
        for name, value in example.items()
    )
    return field(1, b"".join(features))


def feature(name: str, content: Any) -> bytes:
    """One feature: a value, or a list of values of one type."""
    elements = content if isinstance(content, list) else [content]
    kinds = [kind_of(name, element) for element in elements]
    if not kinds:
        return b""
    if len(set(kinds)) > 1:
        raise InvalidInstances(
            f"Unexpected element type in feature: {name} expecting type: {kinds[0]}"
        )
    number, write = LISTS[kinds[0]]
    return field(number, write(name, elements))


def kind_of(name: str, element: Any) -> str:
    """The type that a feature's element has."""
    if isinstance(element, int):  # true and false too
        return "int64"
    if isinstance(element, float):
        return "float"
    if isinstance(element, str) or (isinstance(element, dict) and set(element) == {"b64"}):
        return "bytes"
    raise InvalidInstances(
        f"Feature: {name} has element with unexpected JSON type: {json_type(element)}"
    )


def json_type(value: Any) -> str:
    """What JSON calls a value."""
    names = {
        dict: "Object",
        list: "Array",
        str: "String",
        bool: "True or False",
        type(None): "Null",
    }
    return names.get(type(value), "Number")


def bytes_list(name: str, elements: list[Any]) -> bytes:
    """Texts, and bytes in base64."""
    return b"".join(field(1, plain(name, element)) for element in elements)


def plain(name: str, element: Any) -> bytes:
    """A text's bytes, or those that are in base64."""
    if isinstance(element, str):
        return element.encode()
    try:
        return base64.b64decode(element["b64"], validate=True)
    except (binascii.Error, TypeError, ValueError) as exc:
        raise InvalidInstances(f"Feature: {name}: Unable to base64 decode") from exc


def float_list(name: str, elements: list[Any]) -> bytes:
    """Numbers of 32 bits."""
    try:
        return field(1, struct.pack(f"<{len(elements)}f", *elements))
    except OverflowError as exc:
        raise InvalidInstances(
            f"Feature: {name}: Cannot convert JSON value to float without loss of precision."
        ) from exc


def int64_list(name: str, elements: list[Any]) -> bytes:
    """Whole numbers of 64 bits with a sign."""
    if not all(-(1 << 63) <= element < 1 << 63 for element in elements):
        raise InvalidInstances(f"Feature: {name} has uint64 element. Only int64 is supported.")
    return field(1, b"".join(varint(int(element) & (1 << 64) - 1) for element in elements))


LISTS: Mapping[str, tuple[int, Callable[[str, list[Any]], bytes]]] = MappingProxyType(
    {"bytes": (1, bytes_list), "float": (2, float_list), "int64": (3, int64_list)}
)
"""The types that a feature can have: the number of its field, and how it is written."""


def field(number: int, data: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first."""
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)
