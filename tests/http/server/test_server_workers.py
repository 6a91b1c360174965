"""Several processes behind one port."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from gunicorn_server import Server, wait_until


def sockets(process: int) -> int:
    """How many sockets a process holds open."""
    count = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(file.readlink()).startswith("socket:")
    return count


def all_ready(server: Server) -> bool:
    """Whether both workers have taken connections, each of its own."""
    server.connect(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").recv(4096)
    return min(sockets(worker) for worker in server.workers()) > 1


def test_connections_are_spread_over_the_processes(serve, tmp_path: Path) -> None:
    server = serve(f"shared={str(tmp_path)!r}", PLUMBLINE_WORKERS="2")
    wait_until(lambda: all_ready(server))
    before = [sockets(worker) for worker in server.workers()]

    for _ in range(40):
        connection = server.connect(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        time.sleep(0.05)

    after = [sockets(worker) for worker in server.workers()]
    assert sum(after) == sum(before) + 40
    assert min(after) >= sum(after) / 4


def test_the_successor_of_a_killed_process_takes_connections(serve, tmp_path: Path) -> None:
    server = serve(f"shared={str(tmp_path)!r}", PLUMBLINE_WORKERS="2")
    wait_until(lambda: all_ready(server))

    os.kill(server.workers()[0], 9)
    wait_until(lambda: len(server.workers()) == 3)
    wait_until(server.is_ready)

    killed, *living = server.workers()
    assert not Path(f"/proc/{killed}").exists()
    wait_until(
        lambda: (
            server.connect(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").recv(4096)
            and min(sockets(worker) for worker in living) > 1
        )
    )


def test_after_the_first_healthy_ping_nobody_meets_a_process_without_a_model(
    start, tmp_path: Path, picture: bytes
) -> None:
    loads_after = tmp_path / "go"
    server = start(
        f"shared={str(tmp_path)!r}, loads_after={str(loads_after)!r}", PLUMBLINE_WORKERS="3"
    )
    wait_until(lambda: server.said().count("The model fake is loading.") == 1)
    assert server.ping().status == 503

    loads_after.touch()
    wait_until(server.is_ready)

    while server.said().count("The model is ready.") < 3:
        assert server.ping().status == 200
        assert server.invoke(picture).status == 200
