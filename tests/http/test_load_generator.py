"""What counts of a server's answers under load."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from flask import Flask, Response
from test_predict_server import listening

from plumbline.client import load_generator
from plumbline.client.base import Server


def test_what_a_server_answers_while_it_warms_up_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first answer is an error; the second request says that it has been counted, or not."""
    app, came = Flask("cold"), threading.Semaphore(0)
    asked: list[None] = []

    @app.post("/invocations")
    def invoke() -> Response:
        asked.append(None)
        came.release()
        return Response(status=200 if len(asked) > 1 else 503)

    def sleep(_seconds: float) -> None:
        """Until two more requests have come: the first of them has been answered then."""
        assert came.acquire(timeout=120)
        assert came.acquire(timeout=120)

    clock = SimpleNamespace(
        sleep=sleep, perf_counter=time.perf_counter, process_time=time.process_time
    )
    monkeypatch.setattr(load_generator, "time", clock)
    with listening(app) as url:
        run = load_generator.load(Server(url), [b"picture"], 1, 1.0)

    assert run.errors == {}
    assert run.requests > 0
    assert len(asked) > 1
