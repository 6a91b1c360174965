"""Body + Content-Type → pictures or tensors."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import orjson

from plumbline.errors import (
    EmptyBody,
    InvalidArray,
    InvalidCSV,
    InvalidInstances,
    InvalidJSON,
    RequestError,
    UnsupportedContentType,
)
from plumbline.tensors import Array, Inputs, Instances

FORM = (
    'Send {"instances": [...]}, each instance a tensor, {"b64": "<a picture in base64>"} '
    'or {"url": "<a picture\'s link>"}.'
)

JSON_LINES = "application/jsonlines"

LINKS = ("url", "source-ref")
"""What names a link: our own word, and that of SageMaker's augmented manifests."""


@dataclass(frozen=True)
class Link:
    """A picture that is to be fetched."""

    url: str


Item: TypeAlias = bytes | Link | RequestError
"""A picture's bytes, or where they are, or why they are neither."""


@dataclass(frozen=True)
class Pictures:
    """One or more pictures.

    `alone`: the body is the picture. `lines`: one a line, each answered in its line, come what may.
    """

    items: tuple[Item, ...]
    alone: bool = False
    lines: bool = False


Values: TypeAlias = Instances | Inputs | Array
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

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()


def read_picture(body: bytes) -> Payload:
    """A body that is one picture."""
    return Pictures((body,), alone=True)


def read_json(body: bytes) -> Payload:
    """TF Serving's `{"instances": […]}` and `{"inputs": …}`."""
    document = from_json(body, "The body")
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise InvalidInstances(f"The JSON has no list of instances. {FORM}")
    name = document.get("signature_name")
    if not isinstance(name, str | None):
        raise InvalidInstances('"signature_name" must be a text.')
    if "inputs" in document:
        return Inputs(document["inputs"], name)
    rows = document["instances"]
    if not isinstance(rows, list) or not rows:
        raise InvalidInstances(f"The JSON has no list of instances. {FORM}")
    if is_picture(rows[0]):
        return Pictures(tuple(to_item(number, row) for number, row in enumerate(rows)))
    return Instances(rows, name)


def from_json(text: bytes, what: str) -> Any:
    """The document. Raises `InvalidJSON`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise InvalidJSON(f"{what} is not valid JSON: {exc}. {FORM}") from exc


def is_picture(row: Any) -> bool:
    """Whether an instance is a picture, in base64 or by its link."""
    return isinstance(row, dict) and any(name in row for name in ("b64", *LINKS))


def to_item(number: int, row: Any) -> Item:
    """The picture of `{"b64": "…"}` or `{"url": "…"}`."""
    link = next((row[name] for name in LINKS if name in row), None) if is_picture(row) else None
    if isinstance(link, str):
        return Link(link)
    try:
        return base64.b64decode(row["b64"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError):
        return InvalidInstances(
            f'Instance {number} is neither {{"b64": "<a picture in base64>"}} nor '
            '{"url": "<a picture\'s link>"}.'
        )


def read_lines(body: bytes) -> Payload:
    """An instance a line; blank lines are none."""
    texts = [line for line in body.splitlines() if line.strip()]
    if not texts:
        raise InvalidInstances(f"There is no line with an instance. {FORM}")
    lines = [read_line(number, text) for number, text in enumerate(texts, start=1)]
    bad = [line for line in lines if isinstance(line, RequestError)]
    if any(map(is_picture, lines)) or len(bad) == len(lines):
        items = (
            line if isinstance(line, RequestError) else to_item(number, line)
            for number, line in enumerate(lines)
        )
        return Pictures(tuple(items), lines=True)
    if bad:
        raise bad[0]
    return Instances(lines)


def read_line(number: int, text: bytes) -> Any:
    """The document of one line, or the error that it is; `number` counts from 1."""
    try:
        return from_json(text, f"Line {number}")
    except InvalidJSON as exc:
        return exc


def read_array(body: bytes) -> Payload:
    """An array in NumPy's own format; nothing in it is unpickled."""
    stream = io.BytesIO(body)
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        shape, fortran, dtype = headers[np.lib.format.read_magic(stream)](stream)
    except Exception as exc:  # NumPy raises nearly anything on hostile headers
        raise InvalidArray(
            "The body is not an array in NumPy's format; write it with numpy.save."
        ) from exc
    data = memoryview(body)[stream.tell() :]
    count = 1
    for length in shape:
        count *= length
    if min(shape, default=1) < 0 or dtype.kind not in "biuf" or len(data) != count * dtype.itemsize:
        raise InvalidArray(
            f"The body is an array {list(shape)} of {dtype.name} in {len(data)} bytes; it must "
            "hold numbers, and be whole."
        )
    values = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return Array(values)


def read_csv(body: bytes) -> Payload:
    """Numbers, the values of one instance a line."""
    try:
        text = body.decode("utf-8-sig")
        if not text.strip():
            raise InvalidCSV("There is no line with numbers.")
        values = np.loadtxt(io.StringIO(text), delimiter=",", comments=None, ndmin=2)
    except ValueError as exc:
        raise InvalidCSV(
            "The body is not CSV as it is read here: lines of numbers, without a header, the "
            "values of one instance a line and all lines alike."
        ) from exc
    return Array(values, flat=True)


PICTURE_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"),
    *("application/x-image", "application/octet-stream"),
)

READERS: Mapping[str, Callable[[bytes], Payload]] = MappingProxyType(
    {
        **dict.fromkeys(PICTURE_TYPES, read_picture),
        "application/json": read_json,
        JSON_LINES: read_lines,
        "application/x-npy": read_array,
        "text/csv": read_csv,
    }
)
"""What a Content-Type means. Pictures are recognised by their bytes, whatever their type says."""


def read(request: Request) -> Payload:
    """What the request brings. Raises a `RequestError`."""
    if request.payload is not None:
        return request.payload
    reader = READERS.get(request.media_type)
    if reader is None:
        media_type = request.media_type
        said = f"Content-Type {media_type!r} is not" if media_type else "There is no Content-Type"
        verb = "read here" if media_type else "header"
        raise UnsupportedContentType(f"{said} {verb}; send one of {', '.join(READERS)}.")
    if not request.body:
        raise EmptyBody("The body is empty; send a picture, or JSON with instances.")
    return reader(request.body)


def may_have_links(request: Request) -> bool:
    """Whether it is worth while to look for links, by a glance that costs nothing."""
    return request.media_type in ("application/json", JSON_LINES) and any(
        f'"{name}"'.encode() in request.body for name in LINKS
    )
