"""One request and its one answer: how it is read, refused and logged, whichever door it came by."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from werkzeug.http import HTTP_STATUS_CODES

from plumbline.errors import BodyTooLarge, PlumblineError, RequestTimeout, Unavailable
from plumbline.logs import NOTHING, OF_REQUEST, tell
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.telemetry.traceparent import INFERENCE_ID, trace_of
from plumbline.web.observation import NOBODY, Observer, server_timing
from plumbline.wire.content_encodings import unpacker
from plumbline.wire.media_types import media_type
from plumbline.wire.requests import PICTURE_TYPES
from plumbline.wire.responses import JSON, encode_error, to_json

log = logging.getLogger("plumbline.web")
requests = logging.getLogger("plumbline.request")

PLAIN = frozenset((*PICTURE_TYPES, "application/x-npy", "text/csv"))
"""What stays as large as it comes, until it has a slot."""

SILENT = ("/", "/ping", "/metrics")
"""What asks nothing of a model. The platform asks again and again for a ping, several times a
second, where a change of the model's state is logged as it happens, and for metrics once a minute.
"""


class HTTPError(PlumblineError):
    """What no endpoint answers: unknown paths, wrong methods."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Answer:
    """What goes out; `fields` are those of the header, but for those that all answers have."""

    body: bytes
    fields: tuple[tuple[str, str], ...]
    status: int = 200

    @classmethod
    def of(
        cls, body: bytes, content_type: str = JSON, status: int = 200, *more: tuple[str, str]
    ) -> Answer:
        """One of that type. Raises `ValueError` where that, a handler's perhaps, is none."""
        if {*b"\r\n"} & {*content_type.encode("latin-1")}:
            raise ValueError(f"A Content-Type is one line: {content_type!r}.")
        length = ("Content-Length", str(len(body)))
        return cls(body, (("Content-Type", content_type), length, *more), status)

    def encoded(self, *, is_last: bool) -> bytes:
        """As it is sent, with the word on whether the connection goes on."""
        phrase = HTTP_STATUS_CODES.get(self.status, "Unknown").upper()  # as Flask writes it
        lines = [f"HTTP/1.1 {self.status} {phrase}", f"Date: {date(int(time.time()))}"]
        lines += [f"{name}: {text}" for name, text in self.fields]
        lines.append("Connection: close" if is_last else "Connection: keep-alive")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


@lru_cache(1)
def date(second: int) -> str:
    """The second as HTTP writes it."""
    return formatdate(second, usegmt=True)


class Exchange:
    """A request, and what is noted of it until it is answered.

    `headers` are by their names in title case, `pieces` the body as it comes, `length` what it says
    to have, in bytes; `gone` says whether the client has hung up.
    """

    def __init__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        pieces: Iterable[bytes],
        length: int | None,
        gone: Callable[[], bool],
    ) -> None:
        self.started = time.perf_counter()
        self.method = method
        self.path = path
        self.headers = headers
        self.pieces = pieces
        self.length = length
        self.gone = gone
        said = re.sub(r"[^\x21-\x7e]", "", headers.get(INFERENCE_ID, ""))[:64]
        self.id = said or f"{random.getrandbits(64):016x}"
        self.observer: Observer = NOBODY
        self.trace = trace_of(headers)
        OF_REQUEST.set(self.trace.fields if self.trace else NOTHING)
        self.watch = Stopwatch()
        self.model: str | None = None
        self.noted: dict[str, Any] = {}
        """More for the log."""
        self.error: str | None = None
        self.as_tensorflow = False
        """Whether errors are told as TensorFlow Serving tells them."""

    def body(self, limit: int) -> bytes:
        """The body, unpacked, of at most `limit` bytes before and after that.

        It is refused before it is read if it says that it is larger; one that does not is measured
        as it comes.
        """
        encoding = self.headers.get("Content-Encoding", "")
        unpacked = unpacker(encoding)
        if (self.length or 0) > limit:
            raise too_large(limit)
        came = within(limit, self.pieces)
        pieces = list(within(limit, unpacked(came)) if encoding else came)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def most_bytes(self, limit: int) -> int:
        """Bytes that the body may have in memory: `limit` where it is packed, or may hold links."""
        kind = media_type(self.headers.get("Content-Type", ""))
        is_plain = "Content-Encoding" not in self.headers and kind in PLAIN
        return min(self.length, limit) if is_plain and self.length is not None else limit

    def body_headers(self) -> dict[str, str]:
        """The headers as they are of the body that was read: without what it was compressed by."""
        return {name: text for name, text in self.headers.items() if name != "Content-Encoding"}

    def answered(self, act: Callable[[Exchange], Answer]) -> Answer:
        """What `act` answers, or how it fails; logged."""
        try:
            answer = act(self)
        except Exception as exc:
            answer = self.refused(exc)
        fields = (*answer.fields, *self.end(answer.status, len(answer.body)))
        return Answer(answer.body, fields, answer.status)

    def refused(self, error: Exception) -> Answer:
        """The only way from a failure to a status; what is the server's fault is logged whole."""
        if not isinstance(error, PlumblineError):
            log.error("Request %s failed unexpectedly.", self.id, exc_info=error)
            said = f"The server failed on this request; see its log for id {self.id}."
            error = PlumblineError(said)
        elif error.status == 500:
            log.error("Request %s failed: %s", self.id, error.message, exc_info=error)
        self.error = error.code
        error.as_tensorflow |= self.as_tensorflow
        return refusal(error)

    def end(self, status: int, size: int | None) -> tuple[tuple[str, str], ...]:
        """Tell how it went, the log in one line; gives what the header is to say of it."""
        told: tuple[tuple[str, str], ...] = (("X-Request-Id", self.id),)
        if self.path in SILENT:
            return told
        seconds = time.perf_counter() - self.started
        self.observer.ended(self, status, seconds)
        if self.observer.tells_timing:
            told = (*told, ("Server-Timing", server_timing(self.watch.laps, seconds)))
        if requests.isEnabledFor(logging.INFO):
            self.log(status, size, seconds)
        return told

    def log(self, status: int, size: int | None, seconds: float) -> None:
        """Write the request's line."""
        laps = {**self.watch.laps, "total": 1000 * seconds}
        milliseconds = {stage: round(spent, 2) for stage, spent in laps.items()}
        fields = {
            "id": self.id,
            "model": self.model,
            **self.noted,
            "status": status,
            "error": self.error,
            "bytes_in": self.length,
            "bytes_out": size,
            "ms": milliseconds,
        }
        spent = ", ".join([f"{stage} {value:g}" for stage, value in milliseconds.items()])
        error = f" {self.error}" if self.error else ""
        tell(requests, f"{self.method} {self.path} {status} ({spent} ms){error}", fields)


def refusal(error: PlumblineError) -> Answer:
    """The error as an answer."""
    wait = (("Retry-After", str(error.retry_after)),) if isinstance(error, Unavailable) else ()
    encoded = encode_error(error)
    return Answer.of(encoded.body, encoded.content_type, error.status, *wait)


def late() -> RequestTimeout:
    """The error for a body that breaks off."""
    return RequestTimeout("The body did not arrive whole and in time; send it again.")


def as_json(document: Any) -> Answer:
    """The document as an answer."""
    return Answer.of(to_json(document))


def within(limit: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces. Raises `BodyTooLarge` as soon as they are more than `limit` bytes."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        yield piece


def too_large(limit: int) -> BodyTooLarge:
    """The error for too many bytes."""
    return BodyTooLarge(
        f"The body is larger than the {limit / MEBIBYTE:g} MiB that are taken. Send a smaller "
        "picture, or raise PLUMBLINE_MAX_BODY_MB."
    )
