"""Body + Content-Type → pictures or tensors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any, AnyStr, TypeAlias

import numpy as np

from plumbline.errors import (
    EmptyBody,
    InvalidCSV,
    InvalidInstances,
    InvalidJSON,
    RequestError,
)
from plumbline.wire import media_types
from plumbline.wire.csv_numbers import in_pieces
from plumbline.wire.json_documents import from_json, from_jsons
from plumbline.wire.npy import read_array
from plumbline.wire.picture_items import LINKS, Item, is_picture, to_item
from plumbline.wire.request_options import is_tensorflows
from plumbline.wire.tensor_bodies import FORM, Array, Inputs, Instances, Lines, Unframed
from plumbline.wire.tf_examples import Examples

JSON_LINES = "application/jsonlines"
JSONS = "application/jsons"
"""Documents one after another, as SageMaker's TensorFlow Serving container calls them."""

UNLIMITED = 10**9
"""More instances than any body holds."""

MOST_OF_LINKS = 1024**2
"""Bytes of a body that is read before its turn: JSON takes twenty times its size in memory."""


@dataclass(frozen=True)
class Pictures:
    """One or more pictures.

    `alone`: the body is the picture. `lines`: one a line, each answered in its line, come what may.
    """

    items: tuple[Item, ...]
    alone: bool = False
    lines: bool = False
    signature_name: str | None = None


Values: TypeAlias = Instances | Inputs | Array | Lines | Examples
"""Tensors, in one of the forms that they come in."""

Payload: TypeAlias = Pictures | Values


@dataclass(frozen=True)
class Request:
    """One invocation, as it came in; `payload` where it has been read already."""

    body: bytes
    content_type: str
    accept: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    payload: Payload | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """All headers, for a user's handler."""

    @cached_property
    def media_type(self) -> str:
        """The Content-Type without its parameters, by its name here."""
        return media_types.media_type(self.content_type)

    @cached_property
    def by_tensorflow(self) -> bool:
        """Whether it is read and answered as TensorFlow Serving does it."""
        return is_tensorflows(self.options)


def check_count(instances: int, most: int) -> None:
    """Raise `InvalidInstances` for more instances than are taken at once, and for none at all."""
    if not 0 < instances <= most:
        raise InvalidInstances(
            f"The request has {instances} instances, but 1 to {most} are taken at once; send them "
            "in several requests."
        )


def read_picture(body: bytes, most: int) -> Payload:  # noqa: ARG001
    """A body that is one picture."""
    return Pictures((body,), alone=True)


FRAMES = {"instances", "inputs", "examples"}
"""What TF Serving's JSON has one of."""


def read_json(body: bytes, most: int) -> Payload:
    """TF Serving's `{"instances": […]}` and `{"inputs": …}`; without them, instances themselves."""
    document, *more = from_jsons(body)
    if more:
        return of_rows([document, *more], most)
    document = unquoted(document)
    framed = FRAMES & document.keys() if isinstance(document, dict) else None
    if not framed:
        return of_rows(unframed(document), most)
    name = check_signature(document)
    if framed == {"inputs"}:
        return Inputs(document["inputs"], name)
    rows = document.get("instances")
    if framed != {"instances"} or not isinstance(rows, list) or not rows:
        raise InvalidInstances(f"The JSON has no list of instances. {FORM}")
    return of_rows(rows, most, name, Instances)


def unquoted(document: Any) -> Any:
    """The document, or the request that it is a text of: JSON that was written as JSON twice."""
    if not isinstance(document, str) or '"' not in document:
        return document
    with suppress(InvalidJSON):
        inner = from_json(document.encode(), "The text")
        if isinstance(inner, dict) and FRAMES & inner.keys():
            return inner
    return document


def unframed(document: Any) -> list[Any]:
    """The instances of a list of lists or objects; of what else there is, the only one."""
    if document is None or document in ([], {}):
        raise InvalidInstances(f"The JSON has no list of instances. {FORM}")
    if isinstance(document, list) and isinstance(document[0], list | dict):
        return document
    return [document]


def of_rows(
    rows: list[Any],
    most: int,
    name: str | None = None,
    form: Callable[[list[Any], str | None], Instances] = Unframed,
) -> Payload:
    """Instances, or the pictures that they are."""
    if not is_picture(rows[0]):
        return form(rows, name)
    check_count(len(rows), most)
    items = (to_item(f"Instance {number}", row) for number, row in enumerate(rows))
    return Pictures(tuple(items), signature_name=name)


def check_signature(document: Mapping[str, Any]) -> str | None:
    """The name of the signature that is asked. Raises `InvalidInstances` if it is no text."""
    name = document.get("signature_name")
    if not isinstance(name, str | None):
        raise InvalidInstances(
            '"signature_name" must be a text, the name of one of the model\'s signatures; or leave '
            "it out."
        )
    return name or None


def read_lines(body: bytes, most: int) -> Payload:
    """An instance a line; blank lines are none."""
    texts = filled_lines(io.BytesIO(body), most)
    if not texts:
        raise InvalidInstances(f"There is no line with an instance. {FORM}")
    lines = [read_line(number, text) for number, text in enumerate(texts, start=1)]
    if any(map(is_picture, lines)) or all(isinstance(line, RequestError) for line in lines):
        items = (
            line if isinstance(line, RequestError) else to_item(f"Line {number}", line)
            for number, line in enumerate(lines, start=1)
        )
        return Pictures(tuple(items), lines=True)
    return Lines(tuple(lines))


def read_line(number: int, text: bytes) -> Any:
    """The document of one line, or the error that it is; `number` counts from 1."""
    try:
        return from_json(text, f"Line {number}")
    except InvalidJSON as exc:
        return exc


def read_csv(body: bytes, most: int) -> Payload:
    """Numbers, the values of one instance a line."""
    try:
        if not body.decode("utf-8-sig").strip():
            raise InvalidCSV(
                "There is no line with numbers; send the values of one instance a line."
            )
        text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig")  # io.StringIO is four times as large
        values = np.concatenate(list(in_pieces(filled_lines(text, most))))
    except ValueError as exc:
        raise InvalidCSV(
            "The body is not CSV as it is read here: lines of numbers, without a header, the "
            "values of one instance a line and all lines alike."
        ) from exc
    return Array(values, flat=True)


def filled_lines(stream: Iterable[AnyStr], most: int) -> list[AnyStr]:
    """The lines that are not blank. Raises `InvalidInstances` where there are more than `most`."""
    lines = list(islice((line for line in stream if line.strip()), most + 1))
    if len(lines) > most:
        raise InvalidInstances(
            f"The request has more lines than the {most} that are taken at once; send them in "
            "several requests."
        )
    return lines


PICTURE_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"),
    *("image/avif", "image/heic", "image/heif", media_types.PICTURE, "application/octet-stream"),
)

Reader: TypeAlias = Callable[[bytes, int], Payload]

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        **dict.fromkeys(PICTURE_TYPES, read_picture),
        "application/json": read_json,
        JSONS: read_json,
        JSON_LINES: read_lines,
        "application/x-npy": read_array,
        "text/csv": read_csv,
    }
)
"""What a Content-Type means: a body, and the most instances that it may hold → what it brings.

Pictures are recognised by their bytes, whatever their type says.
"""


def read(
    request: Request, most: int = UNLIMITED, readers: Mapping[str, Reader] = READERS
) -> Payload:
    """What the request brings, at most so many instances. Raises a `RequestError`."""
    if request.payload is not None:
        return request.payload
    reader = readers.get(media_types.meant(request.media_type, request.body))
    if reader is None:
        raise media_types.unsupported(request.media_type, readers)
    if not request.body:
        if request.by_tensorflow:
            raise EmptyBody("JSON Parse error: The document is empty: the body has no bytes.")
        raise EmptyBody("The body is empty; send a picture, or JSON with instances.")
    return reader(request.body, most)


def may_have_links(request: Request) -> bool:
    """Whether it is worth while to look for links, by a glance that costs nothing."""
    return (
        request.media_type in ("application/json", JSON_LINES)
        and len(request.body) <= MOST_OF_LINKS
        and any(f'"{name}"'.encode() in request.body for name in LINKS)
    )
