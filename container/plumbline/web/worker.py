"""gunicorn's threaded worker, with every wait on a client's connection kept off its main loop.

The main loop accepts connections, pings among them; the pool's threads answer. A client that
connects and sends nothing, or half a header, or does not hang up, must hold neither.

Of several workers only the first says that the model is loading; the others begin to accept when
theirs is there. So no request that came after a healthy ping meets a worker without a model.
"""

from __future__ import annotations

import socket
import struct
from concurrent.futures import Future
from typing import Any

from gunicorn.workers import gthread

HEADER_SECONDS = 10
"""How long the rest of a header may take."""


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """What `worker_class` names in gunicorn.conf.py."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; called about once a second."""
        super().set_accept_enabled(enabled and self.may_accept())

    def may_accept(self) -> bool:
        """Whether the model is there, or it falls to this worker to say that it is not."""
        alone = self.cfg.workers == 1 or self.age == 1
        return alone or self.wsgi.extensions["plumbline"].model.status.state != "loading"

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to the pool, but only once it has something to say."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        limit = struct.pack("ll", HEADER_SECONDS, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        silent: Future[Any] = Future()
        silent.set_result(gthread._DEFER)  # noqa: SLF001 - gunicorn's own way to park it
        self.finish_request(conn, silent)

    def handle(self, conn: Any) -> Any:
        """Answer, and hang up here rather than on the main loop, where gunicorn would."""
        result = super().handle(conn)
        if result is False:
            conn.close(graceful=True)
        return result
