"""gunicorn's threaded worker, with every wait for a client kept off its threads and its main loop.

The main loop accepts connections, pings among them, and the pool's threads answer. Whoever sends
nothing, half a header or half a body, or does not hang up, must hold neither: a thread gets a
connection only with a whole header, and a body that nobody wanted is thrown away by the main
loop, as it comes, after the answer.

Of several workers only the first, which loads before the others, says that the model is loading;
they begin to accept when theirs is there. So no request that came after a healthy ping meets a
worker without a model. And a new connection is left to the worker that has the fewest, for what one
sends stays with one worker. Those that came before the others were there, or before one was
replaced, are spread anew: a worker that has more hangs up after an answer, and says so in it.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers import gthread

from plumbline.web.worker_succession import is_awaited

HEADER_SECONDS = 10.0
"""How long the rest of a header may take."""

HEADER_BYTES = 64 * 1024

LINGER_SECONDS = 5.0
"""How long a client may go on sending after its answer; a reset would take the answer from it."""

STEP_BACK = 0.0002
"""How long a connection is left to workers that have fewer, in seconds: long enough to wake up."""

LOOK_SECONDS = 0.02
"""How soon a worker that does not accept connections looks whether it may: its model is there."""

CLOSED = 0xFFFF
"""What stands for the connections of a worker that does not accept any."""

TEND_SECONDS = 0.2
"""How often, at most, a worker asks whether it should go on: memory may run out in a second."""

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Why the system gives out no connection: those that end make room for it."""

CONNECTIONS = "plumbline.connections"
"""The extension of the app that counts them for all workers."""

TENURE = "plumbline.machine.process_health"
"""The extension of the app that says so."""

MOMENT = 0.01
"""Time enough to read what has come already."""


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """What `worker_class` names in gunicorn.conf.py."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: set[Any] = set()
        """What the poller waits for beside the connections that gunicorn keeps alive."""
        self.tended = 0.0
        self.leaving: set[Any] = set()
        """The connections that end with the answer to what was asked last."""

    def run(self) -> None:
        """Serve, and be passed over by the others until this one accepts connections."""
        self.count()
        super().run()

    def may_accept(self) -> bool:
        """Whether the model is there, or it falls to this worker to say that it is not."""
        first = self.age <= self.cfg.workers and self.wsgi.extensions[CONNECTIONS].is_first
        alone = self.cfg.workers == 1
        return bool(
            ((first or alone) and not is_awaited(self.pid))
            or self.wsgi.extensions["plumbline"].model.status.state != "loading"
        )

    def accept(self, listener: Any) -> None:
        """Accept a connection, if no worker that has fewer takes it first."""
        connections = self.wsgi.extensions[CONNECTIONS]
        if connections.own > connections.fewest(self.cfg.workers):
            time.sleep(STEP_BACK)
        try:
            super().accept(listener)
        except OSError as exc:
            if exc.errno not in EXHAUSTED:
                raise
            # Until the next turn; who waits to be accepted goes on waiting, as in a full backlog.
            super().set_accept_enabled(False)
        self.count()

    def count(self) -> None:
        """Tell the other workers how many connections there are."""
        count = self.nr_conns - len(self.leaving)
        self.wsgi.extensions[CONNECTIONS].own = count if self._accepting else CLOSED

    def has_too_many(self) -> bool:
        """Whether another worker would have no more if it had one of these connections."""
        connections = self.wsgi.extensions[CONNECTIONS]
        return bool(connections.own >= connections.fewest(self.cfg.workers) + 2)

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to the pool, but only once its header is whole."""
        conn.init()
        conn.data_ready = True
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.read_header(conn)

    def read_header(self, conn: Any) -> None:
        """Take what has come of a header; the rest has a time of its own."""
        piece, unreader = receive(conn.sock), conn.parser.unreader
        header = (unreader.take_buffered() + (piece or b"")).lstrip(b"\r\n")
        unreader.unread(header)
        if b"\r\n\r\n" in header:
            super().enqueue_req(conn)
        elif piece == b"" or len(header) > HEADER_BYTES:
            self.drop(conn)
        else:
            if len(header) == len(piece or b"") > 0:
                conn.timeout = time.monotonic() + HEADER_SECONDS
            self.wait_for(conn, self.read_header)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer; where a body has not been read, say that the connection ends here.

        So it does where another worker is to have it.
        """
        asked = req.should_close
        if self.has_too_many():
            self.leaving.add(conn)
            self.count()
        req.should_close = lambda: asked() or conn in self.leaving or not body_is_read(conn.parser)
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Keep the connection, or end it without waiting for the client."""
        if fs.cancelled() or fs.exception() or not fs.result():
            self.linger(conn)
        else:
            super().finish_request(conn, fs)

    def linger(self, conn: Any) -> None:
        """Hang up, and read on until the client does too."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:  # it is gone already
            self.drop(conn)
        else:
            conn.timeout = time.monotonic() + LINGER_SECONDS
            self.discard(conn)

    def discard(self, conn: Any) -> None:
        """Throw away what the client still sends."""
        if receive(conn.sock) == b"":
            self.drop(conn)
        else:
            self.wait_for(conn, self.discard)

    def wait_for(self, conn: Any, act: Callable[[Any], None]) -> None:
        """Let `act` go on when the client has sent something."""
        self.waiting.add(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.resume, conn, act))

    def resume(self, conn: Any, act: Callable[[Any], None], _sock: Any) -> None:
        """Go on with a connection that waited."""
        self.waiting.discard(conn)
        self.poller.unregister(conn.sock)
        act(conn)

    def drop(self, conn: Any) -> None:
        """Close a connection that nobody waits for."""
        self.nr_conns -= 1
        self.leaving.discard(conn)
        conn.close()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for something to do, but not long until the model is there."""
        super().wait_for_and_dispatch_events(timeout if self._accepting else LOOK_SECONDS)

    def murder_pending(self) -> None:
        """Drop the connections whose time is up; gunicorn asks for it on every turn of its loop."""
        now = time.monotonic()
        if now >= self.tended + TEND_SECONDS:
            self.tended = now
            tenure = self.wsgi.extensions.get(TENURE)
            if tenure and tenure.is_over(self.ppid):
                self.alive = False
        for conn in [conn for conn in self.waiting if conn.timeout <= now]:
            self.resume(conn, self.drop, conn.sock)
        self.count()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; called about once a second.

        At the end, those who have connected already are taken, and everybody else is refused.
        """
        super().set_accept_enabled(enabled and self.may_accept())
        self.count()
        if not self.alive:
            for listener in self.sockets:
                self.accept_all(listener)
                listener.close()

    def accept_all(self, listener: Any) -> None:
        """Accept until nobody is left in the backlog."""
        before = -1
        while before != self.nr_conns:
            before = self.nr_conns
            self.accept(listener)

    def _cap_keepalive(self, deadline: float) -> None:
        """Don't let those who say nothing hold up the end."""
        super()._cap_keepalive(deadline)
        for conn in self.waiting:
            conn.timeout = min(conn.timeout, deadline)


def receive(sock: socket.socket) -> bytes | None:
    """What has come, None if that is nothing; empty when the other side has hung up."""
    try:
        return sock.recv(65536)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def body_is_read(parser: Any) -> bool:
    """Whether nothing of the request is left to read, the little that has come thrown away."""
    try:
        return bool(parser.finish_body(deadline=time.monotonic() + MOMENT))
    except Exception:  # chunks that are none: where the next request begins is unknown
        return False
