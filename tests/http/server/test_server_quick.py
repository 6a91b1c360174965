"""A model that answers in a millisecond is asked by the event loop itself."""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gunicorn_server import Server

JSON = json.dumps({"instances": [{"b64": ""}]}).encode()


def threads(server: Server) -> int:
    """How many threads the only worker has."""
    [worker] = server.workers()
    return len(list(Path(f"/proc/{worker}/task").iterdir()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_pictures_need_no_thread_and_everything_else_does(serve, picture: bytes) -> None:
    server: Server = serve("quick=60", PLUMBLINE_WORKERS="1")
    before = threads(server)

    answers = [server.invoke(picture, "image/png") for _ in range(5)]
    assert {each.status for each in answers} == {200}
    assert threads(server) == before
    assert server.invoke(b"torn", "image/png").status == 400
    assert threads(server) == before

    assert server.invoke(JSON, "application/json").status == 400
    assert threads(server) == before + 1


def test_answers_are_the_same_and_so_is_the_log(serve, shared, picture: bytes) -> None:
    quick: Server = serve("quick=60", PLUMBLINE_WORKERS="1")
    usual: Server = shared(PLUMBLINE_WORKERS="1")

    here, there = (each.invoke(picture, "image/png") for each in (quick, usual))

    assert (here.status, here.body) == (there.status, there.body)
    assert {*here.headers} == {*there.headers}
    assert re.search(rf'"id":"{here.headers["X-Request-Id"]}".*"status":200', quick.said())


def test_a_model_that_is_slow_after_all_holds_up_one_ping_at_most(serve, picture: bytes) -> None:
    server: Server = serve("quick=0.02,delay=3", PLUMBLINE_WORKERS="1")
    assert server.invoke(picture, "image/png").status == 200  # the loop did that

    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(server.invoke, picture, "image/png") for _ in range(4)]
        slowest = server.slowest_ping(lambda: not all(each.done() for each in asked))
        assert {each.result().status for each in asked} == {200}

    assert slowest < 2


def test_requests_one_after_another_on_one_connection(serve, picture: bytes) -> None:
    server: Server = serve("quick=60", PLUMBLINE_WORKERS="1")
    header = f"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: {len(picture)}\r\n"
    one = f"{header}Content-Type: image/png\r\n\r\n".encode() + picture
    last = f"{header}Content-Type: image/png\r\nConnection: close\r\n\r\n".encode() + picture

    client = server.connect(20 * one + last)

    said = b"".join(iter(lambda: client.recv(65536), b""))
    assert said.count(b"HTTP/1.1 200 OK") == 21
