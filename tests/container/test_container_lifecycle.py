"""The life of a container, and the two ways in which it ends early."""

from __future__ import annotations

import time

import pytest
from running_container import DRAIN_SECONDS, Running, wait_until

pytestmark = pytest.mark.docker


def test_a_server_gets_ready_replaces_a_killed_worker_and_finishes_what_it_has_at_sigterm(
    start, crowd, demo, large_jpeg: bytes
) -> None:
    server: Running = start(environment={"PLUMBLINE_SLOTS": "1", "PLUMBLINE_QUEUE": "8"})

    wait_until(server.listens)
    early = server.ping()
    assert (early.status, early.document["error"]["code"]) == (503, "model_not_ready")
    wait_until(server.is_ready)
    assert server.ping().body == b""
    assert "golden pictures came out right" in server.said()

    before = server.workers()
    server.run("python3", "-c", f"import os; os.kill({before[0]}, 9)")
    wait_until(lambda: set(server.workers()) - set(before))
    assert before[0] not in server.workers()
    wait_until(server.is_ready)
    assert server.invoke(demo.pictures["five"]).status == 200

    in_flight = crowd(4, server.invoke, large_jpeg)
    wait_until(lambda: any(answer.done() for answer in in_flight))
    server.container.kill("SIGTERM")
    started = time.monotonic()
    assert [answer.result().status for answer in in_flight] == [200] * 4
    assert server.end() == 0
    assert time.monotonic() - started < DRAIN_SECONDS


def test_a_server_that_is_ended_as_it_starts_ends(start) -> None:
    """Process 1 has no handler of signals yet, and would go on for ever."""
    server: Running = start()
    begun = time.monotonic()
    server.container.kill("SIGTERM")
    assert server.end() in (0, 143)
    assert time.monotonic() - begun < DRAIN_SECONDS


def test_a_broken_model_ends_the_container_and_the_log_says_why(start, broken_model) -> None:
    server: Running = start(
        model_folder=broken_model, environment={"PLUMBLINE_FAILURE_GRACE_SECONDS": "12"}
    )

    wait_until(server.listens)
    wait_until(lambda: b"failed to load" in server.ping().body)

    assert server.end() != 0
    assert "The model failed to load" in server.said()
    assert "variables" in server.said()


def test_a_wrong_setting_ends_the_container_with_a_sentence(start) -> None:
    server: Running = start(environment={"PLUMBLINE_QUEUE": "abc"})

    assert server.end() != 0
    assert "PLUMBLINE_QUEUE=abc" in server.said()
