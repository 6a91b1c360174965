"""The end of the server, and the death of a worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from gunicorn_server import DRAIN_SECONDS, Server, wait_until

SMALL = {"PLUMBLINE_SLOTS": "2", "PLUMBLINE_QUEUE": "4"}


def test_sigterm_lets_requests_in_flight_finish(serve, fill, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    server: Server = serve(f"answers_after={str(gate)!r}", **SMALL)
    for _ in range(20):
        assert server.ask("GET", "/ping", Connection="close").status == 200
    in_flight = fill(server, 6)

    server.process.send_signal(signal.SIGTERM)

    wait_until(server.refuses)
    assert not any(answer.done() for answer in in_flight)
    gate.touch()
    assert [answer.result().status for answer in in_flight] == [200] * 6
    assert server.process.wait(DRAIN_SECONDS) == 0


def test_sigterm_does_not_wait_for_clients_that_say_nothing(serve) -> None:
    server: Server = serve(PLUMBLINE_DRAIN_SECONDS="60")
    for _ in range(20):
        server.connect()
        server.connect(b"GET /ping HTTP/1.1\r\nHost: plumbline\r\n\r\n")
    assert server.is_ready()

    server.process.send_signal(signal.SIGTERM)

    # Half of the time that a request in flight would be given.
    assert server.process.wait(30) == 0


def test_sigterm_while_the_model_loads_ends_the_server(start) -> None:
    server: Server = start("loads_after='/nowhere'")
    wait_until(lambda: not server.refuses())
    wait_until(lambda: b"fake is loading" in server.ping().body)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(60) == 0


def test_what_does_not_finish_in_time_is_given_up(serve, fill) -> None:
    server: Server = serve(
        "delay=60", PLUMBLINE_DRAIN_SECONDS="1", PLUMBLINE_SLOTS="1", PLUMBLINE_QUEUE="0"
    )
    fill(server, 1)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(DRAIN_SECONDS) == 0


def test_a_killed_worker_is_replaced(serve, picture: bytes) -> None:
    server: Server = serve(PLUMBLINE_WORKERS="1")
    (killed,) = server.workers()

    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2 and server.is_ready())

    assert server.invoke(picture).status == 200
    assert server.workers()[-1] != killed


def test_a_killed_worker_leaves_the_others_serving(serve, picture: bytes) -> None:
    server: Server = serve(PLUMBLINE_WORKERS="2")
    wait_until(lambda: len(server.workers()) == 2)

    os.kill(server.workers()[0], signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 3)

    wait_until(server.is_ready)
    assert server.invoke(picture).status == 200


def test_a_worker_that_is_killed_while_it_boots_leaves_the_others_serving(
    serve, picture: bytes, tmp_path: Path
) -> None:
    boots = tmp_path / "boots"
    boots.touch()
    server: Server = serve(f"boots_after={str(boots)!r}", PLUMBLINE_WORKERS="2")
    wait_until(lambda: server.said().count("is ready") == 2)
    boots.unlink()

    for killed in (0, 2):
        os.kill(server.workers()[killed], signal.SIGKILL)
        wait_until(lambda number=killed: len(server.workers()) > max(number, 1) + 1)

    assert server.invoke(picture).status == 200
    boots.touch()
    wait_until(lambda: server.said().count("is ready") == 3)
    assert server.invoke(picture).status == 200
