"""Clients that say nothing, break off or do not hang up: they cost nobody else an answer."""

from __future__ import annotations

import socket

import pytest
from gunicorn_server import PING_SECONDS, Server

HALF_A_HEADER = b"POST /invocations HTTP/1.1\r\nHost: plumb"
HALF_A_BODY = (
    b"POST /invocations HTTP/1.1\r\nHost: plumbline\r\nContent-Type: image/png\r\n"
    b"Content-Length: 1000\r\n\r\n\x89PNG"
)
HALF_A_CHUNKED_BODY = HALF_A_BODY.replace(
    b"Content-Length: 1000\r\n\r\n\x89PNG", b"Transfer-Encoding: chunked\r\n\r\n4\r\n\x89PNG\r\n"
)
A_LAST_PING = b"GET /ping HTTP/1.1\r\nHost: plumbline\r\nConnection: close\r\n\r\n"
A_SECOND_HEADER_BROKEN_OFF = b"GET /ping HTTP/1.1\r\nHost: plumbline\r\n\r\n" + HALF_A_HEADER

CLIENTS = {
    "silent": b"",
    "half a header": HALF_A_HEADER,
    "half a body": HALF_A_BODY,
    "half a chunked body": HALF_A_CHUNKED_BODY,
    "not hanging up": A_LAST_PING,
    "half a second header": A_SECOND_HEADER_BROKEN_OFF,
}


PATIENT = {"PLUMBLINE_SLOTS": "1", "PLUMBLINE_QUEUE": "4"}
IMPATIENT = {
    "PLUMBLINE_SLOTS": "1",
    "PLUMBLINE_QUEUE": "1",
    "PLUMBLINE_DEADLINE_SECONDS": "2",
}


@pytest.mark.parametrize("sent", CLIENTS.values(), ids=CLIENTS)
def test_pings_are_answered_beside_200_clients_that_are(shared, sent: bytes) -> None:
    server: Server = shared("patience=60", **PATIENT)
    for _ in range(200):
        server.connect(sent)

    pings = iter(range(20))
    assert server.slowest_ping(lambda: next(pings, None) is not None) < PING_SECONDS


@pytest.mark.parametrize("sent", [HALF_A_HEADER, HALF_A_BODY], ids=["header", "body"])
def test_a_client_that_stalls_is_cut_off(shared, sent: bytes, picture: bytes) -> None:
    server: Server = shared("patience=1", **IMPATIENT)
    stalled = server.connect(sent)

    answer = everything(stalled)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
    assert server.invoke(picture).status == 200


def test_stalled_bodies_hold_no_places(shared, picture: bytes) -> None:
    server: Server = shared("patience=1", **IMPATIENT)
    stalled = [server.connect(HALF_A_BODY) for _ in range(3)]

    answers = [everything(connection).split(b" ", 2)[1] for connection in stalled]

    assert answers == [b"408"] * 3
    assert server.invoke(picture).status == 200


def test_a_header_may_come_in_pieces(shared) -> None:
    server: Server = shared("patience=60", **PATIENT)
    connection = server.connect()

    for byte in A_LAST_PING:
        connection.sendall(bytes([byte]))

    assert everything(connection).startswith(b"HTTP/1.1 200 ")


def test_a_header_without_end_is_not_kept(shared, picture: bytes) -> None:
    server: Server = shared("patience=60", **PATIENT)
    endless = b"GET /ping HTTP/1.1\r\n" + b"a: b\r\n" * 3_000_000  # buffers hold a part of it

    with pytest.raises(ConnectionError):
        server.connect(endless)

    assert server.invoke(picture).status == 200


def everything(connection: socket.socket) -> bytes:
    """All that the server sends until it hangs up."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received
