"""A request's connection: its body, within its limit and its deadline, and whether it still is."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from functools import partial

from flask import Request
from werkzeug.exceptions import ClientDisconnected

from plumbline.errors import BodyTooLarge, RequestTimeout
from plumbline.pipeline.admission import Deadline, stays
from plumbline.settings.variable_values import MEBIBYTE

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


def gone(request: Request) -> Callable[[], bool]:
    """What says whether the client of a request has hung up, while its thread answers it.

    Who has only said that nothing more will be sent counts as gone too, as with nginx.
    """
    connection = request.environ.get("gunicorn.socket")
    return stays if connection is None else partial(has_ended, connection)


def has_ended(connection: socket.socket) -> bool:
    """Whether the other side has ended the connection; what it sent before is left to be read.

    It may be asked by several threads at once.
    """
    poll = select.poll()  # a socket with a timeout would wait for something to come
    poll.register(connection, select.POLLIN)
    try:
        return bool(poll.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def too_large(limit: int) -> BodyTooLarge:
    """The error for too many bytes."""
    return BodyTooLarge(
        f"The body is larger than the {limit / MEBIBYTE:g} MiB that are taken. Send a smaller "
        "picture, or raise PLUMBLINE_MAX_BODY_MB."
    )
