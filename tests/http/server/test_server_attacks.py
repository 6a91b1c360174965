"""Clients that would take the server from the others, and what HTTP has for clients that wait."""

from __future__ import annotations

import http.client
import select
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from gunicorn_server import Server, wait_until
from test_server_slow_clients import HALF_A_BODY, HALF_A_HEADER, everything

from process_family import written

PING = b"GET /ping HTTP/1.1\r\nHost: plumbline\r\n\r\n"
HEADER = b"POST /invocations HTTP/1.1\r\nHost: plumbline\r\nContent-Type: image/png\r\n"
MEBIBYTE = 1024 * 1024


def deaf(server: Server) -> socket.socket:
    """A connection with little room for answers."""
    connection = socket.socket()
    server.sockets.enter_context(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    connection.connect(("127.0.0.1", server.port))
    return connection


def stuffed(connection: socket.socket, request: bytes) -> int:
    """Send requests, and read nothing, until the server takes no more; how many bytes it took."""
    connection.settimeout(0.5)
    many, sent = request * 2000, 0
    with suppress(TimeoutError, ConnectionError):
        while sent < 64 * MEBIBYTE:
            sent += connection.send(many[sent % len(request) :])
    connection.settimeout(60)
    return sent


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_who_sends_without_reading_is_not_received_from(serve, picture: bytes) -> None:
    server: Server = serve("patience=60", PLUMBLINE_WORKERS="1")
    (worker,) = server.workers()
    server.invoke(picture)
    before = written(worker)
    for _ in range(4):
        assert stuffed(deaf(server), PING) < 64 * MEBIBYTE
    assert written(worker) - before < 8 * MEBIBYTE
    assert server.is_ready()
    assert server.invoke(picture).status == 200


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_who_is_ahead_of_the_answers_is_received_from_no_faster(serve, picture: bytes) -> None:
    """It reads all that it gets: each answer makes room for one request, and not for many."""
    server: Server = serve("patience=60", PLUMBLINE_WORKERS="1")
    (worker,) = server.workers()
    server.invoke(picture)
    before = written(worker)
    client = server.connect()
    client.setblocking(False)
    request = PING.replace(b"/ping", b"/nothing")  # which a thread answers
    ahead, sent, read = request * 40_000, 0, 0
    while read < MEBIBYTE // 2:
        select.select([client], [client], [], 60)
        with suppress(BlockingIOError):
            while sent < 64 * MEBIBYTE:
                sent += client.send(ahead[sent % len(request) :])
        with suppress(BlockingIOError):
            read += len(client.recv(4096))
    assert written(worker) - before < 8 * MEBIBYTE
    assert server.is_ready()


def test_who_does_not_read_is_hung_up_on(serve, picture: bytes) -> None:
    server: Server = serve("patience=1", PLUMBLINE_WORKERS="1")
    clients = [deaf(server) for _ in range(3)]
    for connection in clients:
        stuffed(connection, b"GET /execution-parameters HTTP/1.1\r\nHost: plumbline\r\n\r\n")
    (worker,) = server.workers()

    def is_dropped(connection: socket.socket) -> bool:
        try:
            connection.send(b"x", socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return False

    wait_until(lambda: all(map(is_dropped, clients)), 30)
    assert server.invoke(picture).status == 200
    assert server.workers() == [worker]


def test_those_who_say_nothing_give_way_and_nobody_else_does(serve) -> None:
    server: Server = serve("patience=60, most=20", PLUMBLINE_WORKERS="1")
    begun = server.connect(PING[:10])
    silent = [server.connect() for _ in range(60)]

    assert server.is_ready()
    with suppress(ConnectionError):
        assert silent[0].recv(1) == b""
    begun.sendall(PING[10:])
    assert begun.recv(15) == b"HTTP/1.1 200 OK"


def test_those_who_have_stalled_in_a_header_give_way_where_nobody_is_silent(serve) -> None:
    server: Server = serve("patience=600, most=20", PLUMBLINE_WORKERS="1")
    eldest, *_ = (server.connect(HALF_A_HEADER) for _ in range(60))

    def gave_way() -> bool:
        assert server.is_ready()
        return bool(select.select([eldest], [], [], 0)[0])

    wait_until(gave_way)


def test_half_bodies_hold_no_places(serve, picture: bytes) -> None:
    server: Server = serve("patience=60", PLUMBLINE_SLOTS="1", PLUMBLINE_QUEUE="0")
    for _ in range(20):
        server.connect(HALF_A_BODY)
        server.connect(HALF_A_HEADER)
    assert server.is_ready()
    assert [server.invoke(picture).status for _ in range(3)] == [200] * 3


def test_unfinished_bodies_are_bounded_in_all(serve, picture: bytes) -> None:
    """The one that has stalled for longest makes room; who is whole is answered."""
    limits = {"PLUMBLINE_SLOTS": "1", "PLUMBLINE_QUEUE": "1", "PLUMBLINE_MAX_BODY_MB": "1"}
    server: Server = serve("patience=60", PLUMBLINE_WORKERS="1", **limits)
    begun = HEADER + b"Content-Length: 1000000\r\n\r\n" + bytes(900_000)
    slow, *stalled = (server.connect(begun) for _ in range(3))
    server.invoke(picture)
    slow.sendall(bytes(1))
    server.invoke(picture)
    stalled.append(server.connect(begun))

    told, _, _ = select.select(stalled, [], [], 60)
    assert everything(told[0]).startswith(b"HTTP/1.1 408 ")
    assert server.invoke(picture).status == 200
    slow.sendall(bytes(99_999))
    assert slow.recv(12) == b"HTTP/1.1 400"


def test_a_connection_is_only_closed_if_that_was_announced(serve, tmp_path: Path) -> None:
    server: Server = serve(f"shared={str(tmp_path)!r}", PLUMBLINE_WORKERS="2")
    closed = 0
    for _ in range(12):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        server.sockets.callback(connection.close)
        for _ in range(20):
            connection.request("GET", "/ping")
            with connection.getresponse() as response:
                assert response.read() == b""
                if response.headers["Connection"] == "close":
                    closed += 1
                    break
                assert response.headers["Connection"] == "keep-alive"
    assert closed < 12, "nobody was kept"


def test_a_body_is_asked_for_only_if_it_may_come(shared, picture: bytes) -> None:
    server: Server = shared(PLUMBLINE_MAX_BODY_MB="1")
    header = HEADER + b"Expect: 100-continue\r\nConnection: close\r\n"

    asking = server.connect(header + f"Content-Length: {len(picture)}\r\n\r\n".encode())
    assert asking.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    asking.sendall(picture)
    assert everything(asking).startswith(b"HTTP/1.1 200 ")

    large = server.connect(header + b"Content-Length: 2000000\r\n\r\n")
    assert large.recv(13) == b"HTTP/1.1 413 "


BROKEN = {
    b"GET / HTTP/1.1\nHost: x\r\n\r\n": 400,
    b"nonsense\r\n\r\n": 400,
    HEADER + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    HEADER + b"Content-Length: -3\r\n\r\n": 400,
    HEADER + b"Transfer-Encoding: gzip, chunked\r\n\r\n": 501,
    HEADER + b"Expect: a miracle\r\n\r\n": 417,
    b"PRI * HTTP/2.0\r\n\r\n": 505,
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n": 431,
}


@pytest.mark.parametrize(("sent", "status"), BROKEN.items())
def test_a_header_that_breaks_the_rules_is_refused_in_words(
    shared, sent: bytes, status: int
) -> None:
    server: Server = shared(PLUMBLINE_MAX_BODY_MB="1")
    answer = everything(server.connect(sent))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'{"error":{"code":"bad_request"' in answer
    assert b"Connection: close\r\n" in answer


def test_what_follows_a_chunked_body_is_answered_or_the_end_is_announced(shared) -> None:
    server: Server = shared(PLUMBLINE_MAX_BODY_MB="1")
    chunked = HEADER + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    answer = everything(server.connect(chunked + PING))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answer


def test_an_offer_to_upgrade_is_left_unheeded(shared, picture: bytes) -> None:
    server: Server = shared(PLUMBLINE_MAX_BODY_MB="1")
    offer = {"Connection": "Upgrade", "Upgrade": "h2c", "Content-Type": "image/png"}
    assert server.ask("POST", "/invocations", picture, **offer).status == 200
