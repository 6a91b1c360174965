"""Bodies as TensorFlow Serving, and SageMaker's container of it, read them → payloads.

A request is read this way where it names a model or a method as that container wants it named.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson

from plumbline.errors import InvalidCSV, InvalidInstances
from plumbline.wire.json_documents import from_json
from plumbline.wire.request_options import METHOD
from plumbline.wire.requests import (
    JSON_LINES,
    JSONS,
    READERS,
    Payload,
    Reader,
    Request,
    check_count,
    check_signature,
    of_rows,
    read_json,
)
from plumbline.wire.tf_examples import KINDS, Examples, serialised


def readers_of(request: Request) -> Mapping[str, Reader]:
    """How the request's body is read, by its media type."""
    if not request.by_tensorflow:
        return READERS
    method = request.options.get(METHOD, "predict")
    return READERS_OF_EXAMPLES.get(method, TENSORFLOW_READERS)


def read_rows(body: bytes, most: int) -> Payload:
    """CSV: an instance a line, a lone value without brackets; texts where not all are numbers."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig")), skipinitialspace=True))
    except (csv.Error, ValueError) as exc:
        raise InvalidCSV("The body is not CSV: lines of values with commas between them.") from exc
    texts = [line for line in lines if line]
    if not texts:
        raise InvalidCSV("There is no line with values.")
    rows = [[number(cell) for cell in line] for line in texts]
    if any(cell is None for row in rows for cell in row):
        return of_rows([alone(row) for row in texts], most)
    return of_rows([alone(row) for row in rows], most)


def alone(row: list[Any]) -> Any:
    """The values of a line, or the only one."""
    return row[0] if len(row) == 1 else row


def number(text: str) -> float | None:
    """The number that a cell is, or None."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_examples(method: str, body: bytes, most: int) -> Payload:
    """TF Serving's `{"examples": […]}`; features of its `context` are in every example."""
    document = from_json(body, "The body")
    if not isinstance(document, dict) or "examples" not in document:
        raise InvalidInstances(
            f"When method is {method}, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list) or not examples:
        raise InvalidInstances("Expecting 'examples' value to be an list/array that is not empty")
    name = check_signature(document)
    check_count(len(examples), most)
    shared = serialised(document["context"]) if "context" in document else b""
    return Examples(tuple(shared + serialised(one) for one in examples), method, name)


JSON_TYPES = ("application/json", JSON_LINES, JSONS)

TENSORFLOW_READERS: Mapping[str, Reader] = MappingProxyType(
    {**READERS, **dict.fromkeys(JSON_TYPES, read_json), "text/csv": read_rows}
)
"""As `READERS`: lines are instances of one request, and answered together."""

READERS_OF_EXAMPLES: Mapping[str, Mapping[str, Reader]] = MappingProxyType(
    {method: dict.fromkeys(JSON_TYPES, partial(read_examples, method)) for method in KINDS}
)
"""The same, by the method that takes examples."""
