"""More clients than the server can answer."""

from __future__ import annotations

import json
import resource
import select
import threading
from pathlib import Path
from typing import Any

from gunicorn_server import PING_SECONDS, Server, wait_until

from plumbline.web.refusal_pace import HELD_SECONDS

SMALL = {"PLUMBLINE_SLOTS": "2", "PLUMBLINE_QUEUE": "4"}
"""A server that holds six requests."""


def test_pings_are_answered_while_a_crowd_saturates_the_server(
    serve, crowd, picture: bytes, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    server: Server = serve(f"answers_after={str(gate)!r}", **SMALL)
    enough, refused = threading.Event(), threading.Semaphore(0)

    def hammer() -> list[int]:
        statuses = []
        while not enough.is_set():
            answer = server.invoke(picture)
            assert answer.status == 200 or answer.error == "server_busy"
            assert answer.status == 200 or int(answer.headers["Retry-After"]) >= 1
            statuses.append(answer.status)
            refused.release()
        return statuses

    hammering = crowd(24, hammer)
    try:
        pings = iter(range(60))  # one for each refusal
        slowest = server.slowest_ping(
            lambda: next(pings, None) is not None and refused.acquire(timeout=60)
        )
    finally:
        enough.set()
        gate.touch()

    statuses = [status for client in hammering for status in client.result()]
    assert slowest < PING_SECONDS
    assert 200 in statuses
    assert statuses.count(503) > len(hammering), "the server was not saturated"


def test_the_surplus_is_turned_away_while_the_others_wait(
    serve, fill, crowd, picture: bytes, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    server: Server = serve(f"answers_after={str(gate)!r}", PLUMBLINE_SLOTS="6", PLUMBLINE_QUEUE="0")

    admitted = fill(server, 6)
    surplus = [answer.result() for answer in crowd(30, server.invoke, picture)]

    assert not any(answer.done() for answer in admitted)
    gate.touch()
    assert {(answer.status, answer.error) for answer in surplus} == {(503, "server_busy")}
    assert {answer.headers["Retry-After"] for answer in surplus} == {"1"}
    assert [answer.result().status for answer in admitted] == [200] * 6


def test_a_crowd_that_is_refused_waits_a_moment_before_it_is_told(
    serve, fill, crowd, picture: bytes, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    settings = {**SMALL, "PLUMBLINE_WORKERS": "1"}
    server: Server = serve(f"answers_after={str(gate)!r}", **settings)
    admitted = fill(server, 6)

    refused = [answer.result() for answer in crowd(300, server.invoke, picture)]

    gate.touch()
    assert {(answer.status, answer.error) for answer in refused} == {(503, "server_busy")}
    assert max(answer.seconds for answer in refused) >= HELD_SECONDS
    assert [answer.result().status for answer in admitted] == [200] * 6


def test_a_request_that_waits_too_long_is_answered_at_its_deadline(
    serve, crowd, picture: bytes
) -> None:
    server: Server = serve("delay=1.5", PLUMBLINE_SLOTS="1", PLUMBLINE_DEADLINE_SECONDS="2.5")

    answers = [answer.result() for answer in crowd(3, server.invoke, picture)]

    assert sorted(answer.status for answer in answers) == [200, 503, 503]
    late = [answer for answer in answers if answer.status == 503]
    assert {answer.error for answer in late} == {"deadline_exceeded"}
    assert server.invoke(picture).status == 200


def test_clients_that_hang_up_while_they_wait_cost_nothing_more(
    serve, crowd, picture: bytes
) -> None:
    server: Server = serve("delay=3", **SMALL)
    clients = [server.connect(whole(picture)) for _ in range(7)]
    refused, _, _ = select.select(clients, [], [], 30)
    assert len(refused) == 1, "the server does not hold six"
    for client in clients:
        client.close()

    newcomers = [answer.result() for answer in crowd(4, server.invoke, picture)]

    assert [answer.status for answer in newcomers] == [200] * 4, "places were held for nobody"
    left = [line for line in answers(server) if line["status"] == 499]
    assert {line["error"] for line in left} == {"client_gone"}
    assert len(left) >= 4, "the two that worked may have been spared too"
    assert max(line["ms"].get("infer", 0) for line in left) < 2500, "it was computed for nobody"


def whole(picture: bytes) -> bytes:
    """A request as it is sent."""
    header = "POST /invocations HTTP/1.1\r\nHost: plumbline\r\nContent-Type: image/png\r\n"
    return f"{header}Content-Length: {len(picture)}\r\n\r\n".encode() + picture


def answers(server: Server) -> list[dict[str, Any]]:
    """What the log says of each answer."""
    lines = map(json.loads, server.said().splitlines())
    return [line for line in lines if line.get("status")]


def test_without_descriptors_for_more_connections_the_worker_stays_and_the_rest_wait(serve) -> None:
    server = serve(PLUMBLINE_WORKERS="1")
    (worker,) = server.workers()
    in_use = len(list(Path(f"/proc/{worker}/fd").iterdir()))
    _, most = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (in_use + 3, most))

    crowd = [server.connect(b"GET /ping HTTP/1.1\r\n") for _ in range(10)]
    wait_until(lambda: len(list(Path(f"/proc/{worker}/fd").iterdir())) >= in_use + 3)
    for connection in crowd:
        connection.sendall(b"Host: x\r\nConnection: close\r\n\r\n")
    assert [connection.recv(15) for connection in crowd] == [b"HTTP/1.1 200 OK"] * 10
    assert server.workers() == [worker]
    assert server.is_ready()
