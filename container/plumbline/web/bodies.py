"""Reading a request's body: within its limit and its deadline."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Request
from werkzeug.exceptions import ClientDisconnected

from plumbline.admission import Deadline
from plumbline.errors import BodyTooLarge, RequestTimeout
from plumbline.variables import MEBIBYTE

CHUNK = 256 * 1024


def read_body(request: Request, limit: int, deadline: Deadline) -> bytes:
    """The body, refused before it is read if it says that it is larger than `limit` bytes."""
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    return b"".join(chunks(request, limit, deadline))


def chunks(request: Request, limit: int, deadline: Deadline) -> Iterator[bytes]:
    """The body in pieces; a body without a declared length is measured as it comes."""
    size = 0
    while chunk := read_chunk(request, deadline):
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        yield chunk


def read_chunk(request: Request, deadline: Deadline) -> bytes:
    """The next piece; empty at the end."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(deadline.remaining())
    try:
        return bytes(request.stream.read(CHUNK))
    except (TimeoutError, ClientDisconnected) as exc:  # Werkzeug turns the one into the other
        raise RequestTimeout("The body did not arrive whole and in time; send it again.") from exc


def too_large(limit: int) -> BodyTooLarge:
    """The error for too many bytes."""
    return BodyTooLarge(
        f"The body is larger than the {limit / MEBIBYTE:g} MiB that are taken. Send a smaller "
        "picture, or raise PLUMBLINE_MAX_BODY_MB."
    )
