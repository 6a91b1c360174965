"""A request's connection: its body, within its limit and its deadline, and whether it still is."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from plumbline.errors import BodyTooLarge, MalformedBody, RequestTimeout
from plumbline.pipeline.admission import Deadline, stays
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.wire.content_encodings import unpacker

CHUNK = 256 * 1024


def read_body(request: Request, limit: int, deadline: Deadline) -> bytes:
    """The body, unpacked, of at most `limit` bytes before and after that.

    It is refused before it is read if it says that it is larger; one that does not is measured as
    it comes.
    """
    unpacked = unpacker(request.headers.get("Content-Encoding", ""))
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    return b"".join(within(limit, unpacked(within(limit, chunks(request, deadline)))))


def headers_of(request: Request) -> dict[str, str]:
    """The headers as they are of the body that was read: without what it was compressed by."""
    return {name: text for name, text in request.headers.items() if name != "Content-Encoding"}


def chunks(request: Request, deadline: Deadline) -> Iterator[bytes]:
    """The body in pieces."""
    while chunk := read_chunk(request, deadline):
        yield chunk


def within(limit: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces. Raises `BodyTooLarge` as soon as they are more than `limit` bytes."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        yield piece


def read_chunk(request: Request, deadline: Deadline) -> bytes:
    """The next piece; empty at the end."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(deadline.remaining())
    try:
        return bytes(request.stream.read(CHUNK))
    except (OSError, ClientDisconnected) as exc:  # Werkzeug turns the one into the other
        raise RequestTimeout("The body did not arrive whole and in time; send it again.") from exc
    except ParseException as exc:
        raise MalformedBody(
            "The body is sent in chunks (Transfer-Encoding: chunked), and one of them is not as "
            "RFC 9112 has it: its size in hexadecimal digits, a line break, so many bytes, a line "
            "break."
        ) from exc


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
