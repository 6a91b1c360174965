"""Bodies on the wire: too large, in chunks, and several over one connection."""

from __future__ import annotations

import http.client
import json

import pytest
from gunicorn_server import PING_SECONDS, Server

MEBIBYTE = 1024 * 1024
LIMIT = {"PLUMBLINE_MAX_BODY_MB": "1"}

HEADER = "POST /invocations HTTP/1.1\r\nHost: plumbline\r\nContent-Type: image/png\r\n"


def with_length(size: int) -> bytes:
    """A request of `size` bytes that says so."""
    return f"{HEADER}Content-Length: {size}\r\n\r\n".encode() + bytes(size)


def in_chunks(size: int, chunk: int = 65536) -> bytes:
    """A request of `size` bytes that does not."""
    chunks = b"".join(
        f"{chunk:x}\r\n".encode() + bytes(chunk) + b"\r\n" for _ in range(size // chunk)
    )
    return f"{HEADER}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [MEBIBYTE + 65536, 8 * MEBIBYTE])
@pytest.mark.parametrize("request_of", [with_length, in_chunks])
def test_a_client_that_sends_too_much_reads_why(shared, request_of, size: int) -> None:
    server: Server = shared(**LIMIT)
    connection = server.connect(request_of(size))

    response = http.client.HTTPResponse(connection)
    response.begin()
    with response:
        body = json.loads(response.read())

    assert response.status == 413
    assert body["error"]["code"] == "body_too_large"
    assert "1 MiB" in body["error"]["message"]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(shared) -> None:
    server: Server = shared(**LIMIT)
    connection = server.connect(f"{HEADER}Content-Length: {10**12}\r\n\r\n".encode())

    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_is_read(shared, picture: bytes) -> None:
    server: Server = shared(**LIMIT)

    def pieces():
        yield picture[:10]
        yield picture[10:]

    answer = server.ask("POST", "/invocations", pieces(), **{"Content-Type": "image/png"})
    assert answer.status == 200


def test_a_connection_serves_several_requests(shared, picture: bytes) -> None:
    server: Server = shared(**LIMIT)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    answers = []
    try:
        for _ in range(3):
            connection.request("POST", "/invocations", picture, {"Content-Type": "image/png"})
            with connection.getresponse() as response:
                answers.append((response.status, response.read()))
            used = connection.sock
            connection.request("GET", "/ping")
            with connection.getresponse() as response:
                assert (response.status, response.read()) == (200, b"")
            assert connection.sock is used, "the connection was not kept"
    finally:
        connection.close()
    assert answers == [answers[0]] * 3
    assert answers[0][0] == 200


def test_a_refused_request_leaves_the_next_one_unharmed(shared, picture: bytes) -> None:
    server: Server = shared(**LIMIT)
    for body in (b"not a picture", b"", bytes(2 * MEBIBYTE)):
        assert 400 <= server.invoke(body).status < 500
    assert server.invoke(picture).status == 200


LARGE = {
    "a line of CSV": ("text/csv", b"1," * 6_000_000 + b"1", 400),
    "lines of CSV": ("text/csv", (b"7," * 190_000 + b"7\n") * 32, 400),
    "JSON of lists": ("application/json", b"[" + b"[0]," * 6_000_000 + b"[0]]", 413),
    "JSON of nothing": ("application/jsons", b"[]" * 13_000_000, 413),
}


@pytest.mark.parametrize("kind", list(LARGE))
def test_what_is_large_to_parse_holds_up_no_ping(serve, crowd, kind: str) -> None:
    """Most of it would hold the interpreter for seconds, in one call, or take all the memory."""
    content_type, body, status = LARGE[kind]
    server: Server = serve(PLUMBLINE_WORKERS="1")
    (asking,) = crowd(1, server.invoke, body, content_type)
    slowest = server.slowest_ping(lambda: not asking.done())
    answer = asking.result()
    assert answer.status == status, answer.body[:300]
    assert slowest < PING_SECONDS
    assert len(server.workers()) == 1


def test_who_gets_no_answer_is_not_left_to_wait(serve, picture: bytes) -> None:
    server: Server = serve("unsendable=True")

    with pytest.raises(http.client.RemoteDisconnected):
        server.invoke(picture)

    assert "An answer could not be sent." in server.log.read_text()
    assert server.ping().status == 200
