"""The worker answers some requests itself, and all others by way of Flask: alike in every byte."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from gunicorn_server import Answer, Server, wait_until

Serve = Callable[..., Server]

THROUGH_FLASK = "?through=flask"
"""Makes of a target one that the worker leaves to Flask, which heeds no query there."""

OWN = ("Date", "X-Request-Id")
"""What differs between two answers to the same request."""

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

REQUESTS: dict[str, tuple[str, str, bytes | None, dict[str, str]]] = {
    "ping": ("GET", "/ping", None, {}),
    "a picture": ("POST", "/invocations", b"PICTURE", {"Content-Type": "image/png"}),
    "its bytes as they are": ("POST", "/invocations", b"PICTURE", {}),
    "compressed": ("POST", "/invocations", b"GZIP", {"Content-Encoding": "gzip"}),
    "compressed in name only": ("POST", "/invocations", b"PICTURE", {"Content-Encoding": "gzip"}),
    "options": ("POST", "/invocations", b"PICTURE", {ATTRIBUTES: "top_k=2"}),
    "a bad option": ("POST", "/invocations", b"PICTURE", {ATTRIBUTES: "top_k=none"}),
    "another model": ("POST", "/invocations", b"PICTURE", {ATTRIBUTES: "tfs-model-name=no"}),
    "nothing": ("POST", "/invocations", b"", {"Content-Type": "image/png"}),
    "no picture": ("POST", "/invocations", b"no picture", {"Content-Type": "image/png"}),
    "an unknown type": ("POST", "/invocations", b"PICTURE", {"Content-Type": "text/html"}),
    "an answer that is none": ("POST", "/invocations", b"PICTURE", {"Accept": "text/html"}),
    "too much": ("POST", "/invocations", bytes(1024**2 + 1), {"Content-Type": "image/png"}),
    "a wrong method": ("GET", "/invocations", None, {}),
}


def asked(server: Server, target: str, picture: bytes, name: str) -> Answer:
    method, _, body, headers = REQUESTS[name]
    bodies = {b"PICTURE": picture, b"GZIP": gzip.compress(picture, mtime=0)}
    return server.ask(method, target, bodies.get(body or b"", body), **headers)


def said(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    header = [(key, text) for key, text in answer.headers.items() if key not in OWN]
    return answer.status, header, answer.body


@pytest.mark.parametrize("name", REQUESTS)
def test_both_doors_answer_alike(shared: Serve, picture: bytes, name: str) -> None:
    server, path = shared(PLUMBLINE_MAX_BODY_MB="1"), REQUESTS[name][1]
    own = asked(server, path, picture, name)
    by_flask = asked(server, path + THROUGH_FLASK, picture, name)
    assert said(own) == said(by_flask)
    assert {*OWN} <= {*own.headers} & {*by_flask.headers}


def test_both_doors_log_alike(serve: Serve, picture: bytes) -> None:
    server = serve()
    for target in ("/invocations", "/invocations" + THROUGH_FLASK):
        assert server.ask("POST", target, picture).status == 200

    def lines() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in server.said().splitlines()]
        return [line for line in found if line["message"].startswith("POST /invocations 200 (")]

    own, by_flask = wait_until(lambda: lines() if len(lines()) == 2 else None)
    assert list(own) == list(by_flask)
    assert list(own["ms"]) == list(by_flask["ms"])
    same = ("level", "model", "status", "error", "bytes_in", "bytes_out")
    assert [own[key] for key in same] == [by_flask[key] for key in same]


def test_requests_that_come_in_one_piece_are_all_answered(shared: Serve, picture: bytes) -> None:
    """Threads send the answers, and the loop must learn that there is more to do."""
    head = f"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: {len(picture)}\r\n"
    whole = (head + "\r\n").encode() + picture
    last = (head + "Connection: close\r\n\r\n").encode() + picture
    connection = shared().connect(whole * 4 + b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n" + last)
    answers = b""
    while piece := connection.recv(65536):
        answers += piece
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 6
