"""Bodies that break HTTP's own rules, or off: the caller's fault, and told as such."""

from __future__ import annotations

import json
import re
import socket
import struct

import pytest
from gunicorn_server import Server, wait_until

HEADER = b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\n"
CHUNKED = HEADER + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

SIZES = (
    *(b"-1", b"+5", b"0x5", b" 5", b"5_0", b"", b"g", b"zz", b"5;\x00", b"5\n", b"5;a=\x01"),
    *(b"3 \x00", b"ffffffffffffffffff\xff", "٥".encode()),
)

BROKEN = (
    *(size + b"\r\nabcde\r\n0\r\n\r\n" for size in SIZES),
    b"5\r\nabcdeXX\r\n0\r\n\r\n",
    b"5\r\nabcdefgh\r\n0\r\n\r\n",
    b"5\r\nabcde\r\n0\r\nX y\r\n\r\n",
    b"5\r\nabcde\r\n0\r\nA: b\nC: d\r\n\r\n",
)


def answered(server: Server, body: bytes) -> tuple[int, str]:
    """The status of the answer, and the error's code."""
    connection = server.connect(CHUNKED + body)
    got = b""
    while piece := connection.recv(65536):
        got += piece
    head, _, told = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(told)["error"]["code"]


def test_chunks_that_are_none_are_the_callers_fault(serve, picture: bytes) -> None:
    server: Server = serve()

    answers = {body: answered(server, body) for body in BROKEN}

    assert answers == dict.fromkeys(BROKEN, (400, "malformed_body"))
    assert "Traceback" not in server.said()
    assert server.invoke(picture).status == 200


@pytest.mark.parametrize(
    "begun",
    [HEADER + b"Content-Length: 1000\r\n\r\nabc", CHUNKED + b"100\r\nabc", CHUNKED + b"100"],
)
def test_a_reset_in_the_middle_of_a_body_is_a_line_in_the_log(
    serve, begun: bytes, picture: bytes
) -> None:
    server: Server = serve()

    for _ in range(20):
        connection = server.connect(begun)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    wait_until(lambda: len(re.findall(r"POST /invocations 4(08|99)", server.said())) == 20)
    assert "Traceback" not in server.said()
    assert "error" not in {json.loads(line)["level"] for line in server.said().splitlines()}
    assert server.invoke(picture).status == 200


def test_who_asks_for_metrics_leaves_no_line(serve) -> None:
    """SageMaker does once a minute, of every endpoint."""
    server: Server = serve()

    assert server.ask("GET", "/metrics").status == 200
    assert server.ask("GET", "/else").status == 404

    wait_until(lambda: "GET /else 404" in server.said())
    assert "/metrics" not in server.said()
