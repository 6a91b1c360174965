"""Whether a client has hung up, asked by many at once."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

from plumbline.machine.sockets import has_ended


def test_it_may_be_asked_by_several_threads_at_once() -> None:
    """Who waits asks for itself, and so does whoever would take it along or its place."""
    client, server = socket.socketpair()
    with client, server, ThreadPoolExecutor(8) as pool:

        def ask(_: int) -> bool:
            return any(has_ended(server) for _ in range(2000))

        assert not any(pool.map(ask, range(8)))
        client.send(b"more")
        assert not any(pool.map(ask, range(8)))
        server.recv(4)
        client.close()
        assert has_ended(server)
