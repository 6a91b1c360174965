"""Body + Content-Type → pictures or tensors."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any, AnyStr, TypeAlias

import numpy as np
import orjson

from plumbline.arrays import Tensor
from plumbline.errors import (
    EmptyBody,
    InvalidArray,
    InvalidCSV,
    InvalidInstances,
    InvalidJSON,
    RequestError,
    UnsupportedContentType,
)
from plumbline.tensors import Array, Inputs, Instances, Lines

FORM = (
    'Send {"instances": [...]}, each instance a tensor, {"b64": "<a picture in base64>"} '
    'or {"url": "<a picture\'s link>"}.'
)

JSON_LINES = "application/jsonlines"

UNLIMITED = 10**9
"""More instances than any body holds."""

LINKS = ("url", "source-ref")
"""What names a link: our own word, and that of SageMaker's augmented manifests."""

MOST_OF_LINKS = 1024**2
"""Bytes of a body that is read before its turn: JSON takes twenty times its size in memory."""


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
    signature_name: str | None = None


Values: TypeAlias = Instances | Inputs | Array | Lines
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


def read_json(body: bytes, most: int) -> Payload:
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
        check_count(len(rows), most)
        items = (to_item(f"Instance {number}", row) for number, row in enumerate(rows))
        return Pictures(tuple(items), signature_name=name)
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


def to_item(what: str, row: Any) -> Item:
    """The picture of `{"b64": "…"}` or `{"url": "…"}`; `what` it is called in an error."""
    link = next((row[name] for name in LINKS if name in row), None) if is_picture(row) else None
    if isinstance(link, str):
        return Link(link)
    try:
        return base64.b64decode(row["b64"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError):
        return InvalidInstances(
            f'{what} is neither {{"b64": "<a picture in base64>"}} nor '
            '{"url": "<a picture\'s link>"}.'
        )


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


def read_array(body: bytes, most: int) -> Payload:  # noqa: ARG001
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
    try:
        return Array(laid_out(data, dtype, shape, fortran=fortran))
    except (OverflowError, ValueError) as exc:
        raise InvalidArray(
            f"The body is an array of {dtype.name} in {len(data)} bytes; it must hold numbers, and "
            "as many as its shape says."
        ) from exc


def laid_out(
    data: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], *, fortran: bool
) -> Tensor:
    """The numbers in their shape. Raises `ValueError` or `OverflowError` if that can't be."""
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise ValueError("There are no numbers, or there is no such shape.")
    lengths = tuple(map(int, shape))  # a header may say True
    return np.frombuffer(data, dtype).reshape(lengths, order="F" if fortran else "C")


def read_csv(body: bytes, most: int) -> Payload:
    """Numbers, the values of one instance a line."""
    try:
        if not body.decode("utf-8-sig").strip():
            raise InvalidCSV("There is no line with numbers.")
        text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig")  # io.StringIO is four times as large
        values = np.loadtxt(filled_lines(text, most), delimiter=",", comments=None, ndmin=2)
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
    *("application/x-image", "application/octet-stream"),
)

READERS: Mapping[str, Callable[[bytes, int], Payload]] = MappingProxyType(
    {
        **dict.fromkeys(PICTURE_TYPES, read_picture),
        "application/json": read_json,
        JSON_LINES: read_lines,
        "application/x-npy": read_array,
        "text/csv": read_csv,
    }
)
"""What a Content-Type means: a body, and the most instances that it may hold → what it brings.

Pictures are recognised by their bytes, whatever their type says.
"""


def read(request: Request, most: int = UNLIMITED) -> Payload:
    """What the request brings, at most so many instances. Raises a `RequestError`."""
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
    return reader(request.body, most)


def may_have_links(request: Request) -> bool:
    """Whether it is worth while to look for links, by a glance that costs nothing."""
    return (
        request.media_type in ("application/json", JSON_LINES)
        and len(request.body) <= MOST_OF_LINKS
        and any(f'"{name}"'.encode() in request.body for name in LINKS)
    )
