"""Requests, answers and errors ↔ frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from plumbline.errors import PlumblineError, Unavailable
from plumbline.hosting.frames import Frame
from plumbline.wire.requests import Request
from plumbline.wire.responses import Response

Laps = Mapping[str, float]
"""Milliseconds by the name of a stage."""


@dataclass(frozen=True)
class Asked:
    """A request on its way to a model: its id for the log, and the seconds it may take.

    `trace` is what each line of the log says of the trace that it belongs to.
    """

    request: Request
    id: str
    seconds: float
    trace: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """What came back: the model's own name and version, and how long each stage took.

    `pictures` says how many were answered, and how many refused.
    """

    response: Response
    model: str
    laps: Laps
    pictures: tuple[int, int] = (0, 0)


def from_asked(asked: Asked) -> Frame:
    """The frame of a request that has not been read yet."""
    request = rest_of(asked.request, "body", "payload")
    header = {"id": asked.id, "seconds": asked.seconds, "trace": dict(asked.trace)}
    return Frame({**header, "request": request}, asked.request.body)


def to_asked(frame: Frame) -> Asked:
    """The request of a frame."""
    header = frame.header
    request = Request(frame.body, **header["request"])
    return Asked(request, header["id"], header["seconds"], header["trace"])


def from_answered(answered: Answered) -> Frame:
    """The frame of an answer."""
    response = rest_of(answered.response, "body")
    header = {"response": response, "model": answered.model, "laps": dict(answered.laps)}
    return Frame({**header, "pictures": answered.pictures}, answered.response.body)


def to_answered(frame: Frame) -> Answered:
    """The answer of a frame. Raises the error that it is."""
    header = frame.header
    if "error" in header:
        raise to_error(header["error"])
    response = Response(frame.body, **header["response"])
    answered, refused = header["pictures"]
    return Answered(response, header["model"], header["laps"], (answered, refused))


def rest_of(message: Request | Response, *besides: str) -> dict[str, Any]:
    """The fields of a request or an answer, but for those that do not go into a header."""
    return {
        entry.name: getattr(message, entry.name)
        for entry in fields(message)
        if entry.name not in besides
    }


def from_error(error: PlumblineError) -> Frame:
    """The frame of an error: all that a caller may see of it, and nothing else."""
    told: dict[str, Any] = {
        "message": error.message,
        "code": error.code,
        "status": error.status,
        "as_tensorflow": error.as_tensorflow,
    }
    if isinstance(error, Unavailable):
        told["retry_after"] = error.retry_after
    return Frame({"error": told})


def to_error(told: Mapping[str, Any]) -> PlumblineError:
    """The error, to be raised again on this side."""
    message = told["message"]
    error = (
        Unavailable(message, told["retry_after"])
        if "retry_after" in told
        else PlumblineError(message)
    )
    error.code, error.status = told["code"], told["status"]
    error.as_tensorflow = told["as_tensorflow"]
    return error
