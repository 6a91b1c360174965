"""Result + Accept → bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson

from plumbline.errors import NotAcceptable, PlumblineError
from plumbline.results.task_results import Result
from plumbline.vision.arrays import Tensor
from plumbline.wire.media_types import OTHER_NAMES

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"
PNG = "image/png"

MEDIA_TYPES = (JSON, JSON_LINES, CSV, NPY, PNG)

ERROR_BYTES = 2048
"""SageMaker cuts error bodies after this many characters."""


MOST_TOGETHER = 100 * 1024**2
"""Bytes of the answers to several pictures: what SageMaker takes of a batch. One may be larger."""


@dataclass(frozen=True)
class Response:
    """The body of an answer, and its type."""

    body: bytes
    content_type: str = JSON


def to_json(document: Any) -> bytes:
    """JSON with floats at their own precision: the shortest text that reads back the same."""
    return orjson.dumps(document, default=plain, option=orjson.OPT_SERIALIZE_NUMPY)


def plain(value: Any) -> Any:
    """What orjson does not take by itself: arrays of odd layouts, and byte strings."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value) if value.dtype.kind in "biuf" else value.tolist()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(type(value).__name__)


def to_csv(lines: Sequence[Any]) -> bytes:
    """Lines of CSV; a line that is an array of numbers is written without becoming a list."""
    return b"".join(csv_line(line) for line in lines)


def csv_line(line: Any) -> bytes:
    """One line, with its end."""
    if isinstance(line, np.ndarray) and line.dtype != object:
        return to_json(line)[1:-1] + b"\n"
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(map(plain_text, line))
    return stream.getvalue().encode(errors="replace")


def plain_text(value: Any) -> str:
    """A value as it stands in a cell."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def to_npy(array: Tensor) -> bytes:
    """An array in NumPy's own format, of numbers only."""
    if array.dtype == object:
        raise NotAcceptable(f"The answer is text, which is no array; ask for {JSON}.")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


class Parts:
    """The answers to several pictures, as they come."""

    def __init__(self) -> None:
        self.held: list[Any] = []
        self.size = 0

    def add(self, part: bytes | Tensor) -> None:
        """Keep one more. Raises `NotAcceptable` if they don't go out together any more."""
        self.held.append(part)
        self.size += len(part) if isinstance(part, bytes) else part.nbytes
        if len(self.held) > 1 and self.size > MOST_TOGETHER:
            raise NotAcceptable(
                f"The answers to the first {len(self.held)} pictures have {self.size:,} bytes, and "
                f"at most {MOST_TOGETHER:,} are sent together; send fewer pictures at a time."
            )


@dataclass(frozen=True)
class Form:
    """How results are written: each by itself as it comes, then all together.

    `part` takes a result, its number and the JSON's format; `whole` the parts, and whether they
    are a single picture's that was sent alone.
    """

    part: Callable[[Result, int, str], Any]
    whole: Callable[[Sequence[Any], bool], bytes]


def json_part(result: Result, _number: int, style: str) -> bytes:
    """One prediction."""
    return to_json(result.builtin() if style == "builtin" else result.typed())


def json_whole(parts: Sequence[bytes], alone: bool) -> bytes:
    """`{"predictions": […]}`; a single picture's rows stand for themselves, as SageMaker's do."""
    if alone and parts[0].startswith(b'{"prediction":'):
        return parts[0]
    return b'{"predictions":[' + b",".join(parts) + b"]}"


def stacked(arrays: Sequence[Tensor], alone: bool) -> bytes:
    """One array, with an axis for the pictures unless there is one alone."""
    if alone:
        return to_npy(arrays[0])
    if len({array.shape for array in arrays}) > 1:
        shapes = ", ".join(sorted({str(list(array.shape)) for array in arrays}))
        raise NotAcceptable(
            f"The pictures' answers have several shapes ({shapes}) and don't fit into one array; "
            f"send the pictures one by one, or ask for {JSON}."
        )
    return to_npy(np.stack(arrays))


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        JSON: Form(json_part, json_whole),
        JSON_LINES: Form(json_part, lambda parts, _: b"".join(part + b"\n" for part in parts)),
        CSV: Form(
            lambda result, number, _: to_csv(result.table(number)), lambda parts, _: b"".join(parts)
        ),
        NPY: Form(lambda result, _, __: result.array(), stacked),
    }
)
"""The forms that results take, by their media type."""


def negotiate(accept: str, default: str = JSON) -> str:
    """The media type that the caller likes best; `default` where anything goes."""
    for wanted in preferences(accept):
        if wanted in ("", "*/*") or (wanted.endswith("/*") and default.startswith(wanted[:-1])):
            return default
        for media_type in MEDIA_TYPES:
            if wanted == media_type or (
                wanted.endswith("/*") and media_type.startswith(wanted[:-1])
            ):
                return media_type
    raise NotAcceptable(f"Accept {accept!r} can't be answered; ask for {', '.join(MEDIA_TYPES)}.")


@lru_cache(16)
def preferences(accept: str) -> tuple[str, ...]:
    """The media types of an Accept header, the best liked first."""
    liked = []
    for part in accept.split(","):
        said, *parameters = (text.strip().lower() for text in part.split(";"))
        media_type = OTHER_NAMES.get(said, said)
        weights = (text.removeprefix("q=") for text in parameters if text.startswith("q="))
        liked.append((weight(next(weights, "1")), media_type))
    best = sorted(liked, key=lambda pair: -pair[0])
    return tuple(media_type for q, media_type in best if q > 0)


def weight(text: str) -> float:
    """A media type's `q`; one that can't be read counts as 1."""
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def encode_error(error: PlumblineError) -> Response:
    """`{"error": {"code", "message"}}`, short enough to arrive whole."""
    message = error.message.encode(errors="replace").decode()
    room = ERROR_BYTES - 200
    while (size := len(to_json(message))) > room:  # escapes can make it six times as long
        message = message[: len(message) * room // size - 2] + " …"
    told = message if error.as_tensorflow else {"code": error.code, "message": message}
    return Response(to_json({"error": told}))
