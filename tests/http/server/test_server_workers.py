"""Several processes behind one port."""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from gunicorn_server import Server, wait_until


def sockets(process: int) -> int:
    """How many sockets a process holds open."""
    count = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(file.readlink()).startswith("socket:")
    return count


@dataclass
class Clients:
    """So many that keep their connections, and connect again where the server hangs up."""

    server: Server
    connections: list[http.client.HTTPConnection]

    def ask(self) -> bool:
        """Let each ask once; the server may die meanwhile."""
        for connection in self.connections:
            try:
                connection.request("GET", "/ping")
                assert connection.getresponse().read() == b""
            except (ConnectionError, http.client.HTTPException):
                connection.close()
        return True

    def are_spread(self, *workers: int) -> bool:
        """Whether each of two workers has a quarter of them at least, beside what it listens on."""
        return self.ask() and min(map(sockets, workers)) > len(self.connections) / 4


@pytest.fixture
def clients(serve, tmp_path: Path) -> Iterator[Clients]:
    """Of a server with two workers."""
    server = serve(f"shared={str(tmp_path)!r}", PLUMBLINE_WORKERS="2")
    with ExitStack() as stack:
        connections = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(24)]
        for connection in connections:
            stack.callback(connection.close)
        yield Clients(server, connections)


def test_connections_are_spread_over_the_processes(clients: Clients) -> None:
    """Those, too, that came when there was one process alone."""
    wait_until(lambda: clients.are_spread(*clients.server.workers()))


def test_the_successor_of_a_killed_process_takes_connections_over(clients: Clients) -> None:
    wait_until(lambda: clients.are_spread(*clients.server.workers()))
    killed, survivor = clients.server.workers()

    os.kill(killed, signal.SIGKILL)
    clients.ask()  # and lose the connection
    clients.ask()  # and connect to the survivor: the successor has not even booted
    wait_until(lambda: len(clients.server.workers()) == 3)

    _, _, successor = clients.server.workers()
    wait_until(lambda: clients.are_spread(survivor, successor))


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
