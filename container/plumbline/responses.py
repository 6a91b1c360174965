"""Result + Accept → bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from plumbline.arrays import Tensors
from plumbline.errors import NotAcceptable, PlumblineError

JSON = "application/json"

ERROR_BYTES = 2048
"""SageMaker cuts error bodies after this many characters."""


@dataclass(frozen=True)
class Response:
    """The body of an answer, and its type."""

    body: bytes
    content_type: str = JSON


def to_json(document: Any) -> bytes:
    """JSON with floats at their own precision: the shortest text that reads back the same."""
    return orjson.dumps(document, default=plain, option=orjson.OPT_SERIALIZE_NUMPY)


def plain(value: Any) -> Any:
    """What orjson does not take by itself: arrays that are not contiguous, and byte strings."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(type(value).__name__)


ENCODERS: Mapping[str, Callable[[Any], bytes]] = MappingProxyType({JSON: to_json})


def negotiate(accept: str) -> str:
    """The media type to answer with; anything goes where the caller named none."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    for media_type in wanted:
        if media_type in ("", "*/*", "application/*"):
            return JSON
        if media_type in ENCODERS:
            return media_type
    raise NotAcceptable(f"Accept {accept!r} can't be answered; ask for {', '.join(ENCODERS)}.")


def encode(document: Any, media_type: str) -> Response:
    """The answer's bytes."""
    return Response(ENCODERS[media_type](document), media_type)


def tensor_rows(outputs: Tensors) -> Any:
    """TF Serving's predictions: a value for each instance, or an object of all its outputs."""
    if len(outputs) == 1:
        return next(iter(outputs.values()))
    rows = zip(*outputs.values(), strict=True)
    return [dict(zip(outputs, row, strict=True)) for row in rows]


def encode_error(error: PlumblineError) -> Response:
    """`{"error": {"code", "message"}}`, short enough to arrive whole."""
    message = error.message.encode(errors="replace").decode()
    room = ERROR_BYTES - 200
    while (size := len(to_json(message))) > room:  # escapes can make it six times as long
        message = message[: len(message) * room // size - 2] + " …"
    return Response(to_json({"error": {"code": error.code, "message": message}}))
