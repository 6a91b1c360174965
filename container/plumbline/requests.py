"""Body + Content-Type → pictures or tensors; custom attributes → options."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from plumbline.arrays import Tensor, Tensors
from plumbline.errors import (
    EmptyBody,
    InvalidAttribute,
    InvalidInstances,
    InvalidJSON,
    UnsupportedContentType,
)
from plumbline.signature import TEXT, Signature, TensorSpec

FORM = 'Send {"instances": [...]}, each instance a tensor or {"b64": "<a picture in base64>"}.'


@dataclass(frozen=True)
class Request:
    """One invocation, as it came in."""

    body: bytes
    content_type: str
    accept: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pictures:
    """The bytes of one or more pictures."""

    data: tuple[bytes, ...]


@dataclass(frozen=True)
class Instances:
    """Tensors in TF Serving's row form, already preprocessed by the caller."""

    rows: list[Any]


Payload = Pictures | Instances


def read_picture(body: bytes) -> Payload:
    """A body that is one picture."""
    return Pictures((body,))


def read_json(body: bytes) -> Payload:
    """TF Serving's `{"instances": [...]}`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise InvalidJSON(f"The body is not valid JSON: {exc}. {FORM}") from exc
    rows = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not rows:
        raise InvalidInstances(f"The JSON has no list of instances. {FORM}")
    if isinstance(rows[0], dict) and "b64" in rows[0]:
        return Pictures(tuple(from_base64(number, row) for number, row in enumerate(rows)))
    return Instances(rows)


def from_base64(number: int, row: Any) -> bytes:
    """The bytes of `{"b64": "…"}`."""
    text = row.get("b64") if isinstance(row, dict) else None
    try:
        return base64.b64decode(text, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError) as exc:
        raise InvalidInstances(
            f'Instance {number} is not {{"b64": "<a picture in base64>"}}, as instance 0 is.'
        ) from exc


READERS: Mapping[str, Callable[[bytes], Payload]] = MappingProxyType(
    {
        "image/jpeg": read_picture,
        "image/png": read_picture,
        "application/x-image": read_picture,
        "application/octet-stream": read_picture,
        "application/json": read_json,
    }
)
"""What a Content-Type means. Pictures are recognised by their bytes, whatever their type says."""


def read(request: Request) -> Payload:
    """What the request brings. Raises a `RequestError`."""
    media_type = request.content_type.partition(";")[0].strip().lower()
    reader = READERS.get(media_type)
    if reader is None:
        said = f"Content-Type {media_type!r} is not" if media_type else "There is no Content-Type"
        verb = "read here" if media_type else "header"
        raise UnsupportedContentType(f"{said} {verb}; send one of {', '.join(READERS)}.")
    if not request.body:
        raise EmptyBody("The body is empty; send a picture, or JSON with instances.")
    return reader(request.body)


def to_tensors(rows: list[Any], signature: Signature) -> Tensors:
    """The rows as one batch for each of the model's inputs. Raises `InvalidInstances`."""
    if not isinstance(rows[0], dict):
        return {signature.input().name: to_tensor(rows, signature.input())}
    names = {spec.name for spec in signature.inputs}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) != names:
            raise InvalidInstances(
                f"Instance {number} must be an object with exactly the model's inputs: "
                f"{', '.join(sorted(names))}."
            )
    return {
        spec.name: to_tensor([row[spec.name] for row in rows], spec) for spec in signature.inputs
    }


def to_bytes(row: Any, spec: TensorSpec) -> bytes:
    """A text, or `{"b64": "…"}`, as TensorFlow's strings are."""
    if isinstance(row, str):
        return row.encode()
    try:
        return base64.b64decode(row["b64"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError) as exc:
        raise InvalidInstances(
            f'The model\'s input is {spec}: each instance must be a text or {{"b64": "…"}}.'
        ) from exc


def to_tensor(rows: list[Any], spec: TensorSpec) -> Tensor:
    """One input's batch, of the dtype and shape that the model declares."""
    if spec.dtype == TEXT and len(spec.shape) == 1:
        return np.array([to_bytes(row, spec) for row in rows], object)
    try:
        tensor = np.asarray(rows)
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
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        converted = tensor.astype(spec.dtype)
    whole = is_integer(spec.dtype)
    if not (np.array_equal(converted, tensor) if whole else np.isfinite(converted).all()):
        raise InvalidInstances(f"The instances hold values outside the range of the input {spec}.")
    return converted


def is_integer(dtype: str) -> bool:
    """Whether the dtype holds whole numbers only."""
    return dtype.startswith(("int", "uint"))


def fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    """Whether a shape is one that is declared, None being any length."""
    return len(shape) == len(declared) and all(
        wanted in (None, length) for length, wanted in zip(shape, declared, strict=True)
    )


def whole_number(name: str, value: str) -> int:
    """An option that is a whole number from 1 to 1000."""
    if value.isdecimal() and len(value) <= 4 and 1 <= int(value) <= 1000:
        return int(value)
    raise InvalidAttribute(f"{name}={value}: it must be a whole number from 1 to 1000.")


def plain_text(_name: str, value: str) -> str:
    """An option that is a text."""
    return value


def version_number(name: str, value: str) -> int:
    """An option that is a model's version."""
    if value.isascii() and value.isdecimal() and len(value) <= 19:
        return int(value)
    raise InvalidAttribute(f"{name}={value}: it must be a whole number, such as 1.")


OPTIONS: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {"top_k": whole_number, "tfs-model-name": plain_text, "tfs-model-version": version_number}
)
"""The custom attributes that mean something here."""


def read_options(custom_attributes: str) -> dict[str, Any]:
    """`top_k=3,trace=abc` → the options it sets; what others put there is left alone."""
    pairs = (part.partition("=") for part in custom_attributes.split(","))
    named = {name.strip(): value.strip() for name, _, value in pairs}
    return {name: check(name, named[name]) for name, check in OPTIONS.items() if name in named}
