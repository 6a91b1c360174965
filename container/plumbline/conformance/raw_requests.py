"""Requests that no ordinary client sends: slow ones, broken ones, with a body of many megabytes."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from plumbline.emulator.serving_container import Answer

SECONDS = 70.0
"""More than SageMaker waits."""

PIECE = 64 * 1024


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A connection without any client on top. Raises `OSError`."""
    with socket.create_connection(address, SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def head(address: tuple[str, int], headers: Mapping[str, str]) -> bytes:
    """The request line and headers of `POST /invocations`."""
    lines = ["POST /invocations HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answer(connection: socket.socket, begun: float) -> Answer:
    """What comes back. Raises `OSError` and `HTTPException`."""
    response = http.client.HTTPResponse(connection, method="POST")
    try:
        response.begin()
        body = response.read()
    finally:
        response.close()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, body, headers, time.monotonic() - begun)


def large(address: tuple[str, int], headers: Mapping[str, str], size: int) -> Answer:
    """The answer to a body of so many zeros; it may come before all of them are sent."""
    begun = time.monotonic()
    with connected(address) as connection:
        connection.sendall(head(address, {**headers, "Content-Length": str(size)}))
        # Whoever refuses it stops reading; the answer is there nevertheless.
        with suppress(BrokenPipeError, ConnectionResetError):
            for begin in range(0, size, PIECE):
                connection.sendall(bytes(min(PIECE, size - begin)))
        return answer(connection, begun)


def chunked(address: tuple[str, int], headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer to a body in chunks, without Content-Length."""
    begun = time.monotonic()
    with connected(address) as connection:
        connection.sendall(head(address, {**headers, "Transfer-Encoding": "chunked"}))
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        return answer(connection, begun)


def expecting(
    address: tuple[str, int], headers: Mapping[str, str], body: bytes
) -> tuple[bool, Answer]:
    """Whether `100 Continue` came within a second, and the answer to the body sent after it."""
    begun = time.monotonic()
    more = {"Content-Length": str(len(body)), "Expect": "100-continue"}
    with connected(address) as connection:
        connection.sendall(head(address, {**headers, **more}))
        seen = peeked(connection)
        invited = seen.startswith(b"HTTP/1.1 100")
        if invited or not seen:
            connection.sendall(body)
        return invited, answer(connection, begun)


def peeked(connection: socket.socket) -> bytes:
    """The first bytes of what comes back within a second; they are still there to be read."""
    connection.settimeout(1.0)
    try:
        return connection.recv(32, socket.MSG_PEEK)
    except TimeoutError:
        return b""
    finally:
        connection.settimeout(SECONDS)


def hung_up(address: tuple[str, int], headers: Mapping[str, str], body: bytes) -> None:
    """Send half of a body, and leave."""
    with suppress(OSError), connected(address) as connection:
        more = {**headers, "Content-Length": str(len(body))}
        connection.sendall(head(address, more) + body[: len(body) // 2])
