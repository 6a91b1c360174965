"""gunicorn's worker: an event loop that receives and sends, and a few threads that answer.

The loop accepts connections, and answers pings itself, and what takes no longer than to hand it
over (`quick_requests`). A thread gets a request only when all of it
has come, and gives back an answer; whoever sends nothing, half a header or half a body, reads
nothing or does not hang up, holds none.

Of several workers only the first, which loads before the others, says that the model is loading;
they begin to accept when theirs is there. So no request that came after a healthy ping meets a
worker without a model. And a new connection is left to the worker that has the fewest, for what one
sends stays with one worker. Those that came before the others were there, or before one was
replaced, are spread anew: a worker that has more hangs up after an answer, and says so in it.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from gunicorn.workers import base

from plumbline.errors import PlumblineError, ServerBusy
from plumbline.web.connection import Connection, State
from plumbline.web.exchange import Answer, refusal
from plumbline.web.fair_selector import new_event_loop
from plumbline.web.metrics_api import TELLING
from plumbline.web.open_connections import OpenConnections
from plumbline.web.quick_requests import QuickRequests
from plumbline.web.received_request import ReceivedRequest
from plumbline.web.refusal_pace import RefusalPace
from plumbline.web.worker_succession import is_awaited
from plumbline.web.wsgi_bridge import ask, environ_of, exchange_of

log = logging.getLogger("plumbline.web")

STEP_BACK = 0.0002
"""How long a connection is left to workers that have fewer, in seconds: long enough to wake up."""

LOOK_SECONDS = 0.02
"""How soon a worker that does not accept connections looks whether it may: its model is there."""

TEND_SECONDS = 0.2
"""How often a worker asks whether it should go on: memory may run out in a second."""

END_SECONDS = 2.0
"""How long, at the end, connections without a request stay: one may be on its way."""

CLOSED = 0xFFFF
"""What stands for the connections of a worker that does not accept any."""

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Why the system gives out no connection: those that end make room for it."""

SPARE_FILES = 128
"""Descriptors that connections leave to everything else."""

LEAST_CONNECTIONS, MOST_CONNECTIONS = 16, 2000
"""Of one worker."""

MANY = 16
"""Connections that give way at a time, where descriptors have run out."""

CONNECTIONS = "plumbline.connections"
"""The extension of the app that counts them for all workers."""

TENURE = "plumbline.machine.process_health"
"""The extension of the app that says whether this worker should go on."""

UNREAD = 64 * 1024
"""Bytes of answers that the system keeps for a client that does not read them."""

PING = b"/ping"

REFUSED = ServerBusy.status
"""The status of who is told to ask again later."""


class Worker(base.Worker):  # type: ignore[misc]
    """What `worker_class` names in gunicorn_settings.py."""

    def init_process(self) -> None:
        """Make what is needed before the app is there."""
        self.loop = new_event_loop()
        self.listening = False
        self.ends = 0.0
        super().init_process()

    def run(self) -> None:
        """Serve, and be passed over by the others until this one accepts connections."""
        service = self.wsgi.extensions["plumbline"]
        self.direct = service.direct
        self.quick = QuickRequests(lambda: self.waiting.empty() and service.is_quick)
        self.pace = RefusalPace()
        self.counts = self.wsgi.extensions[CONNECTIONS]
        self.telling = self.wsgi.extensions[TELLING]
        self.observer = self.telling.observer
        self.max_body = service.settings.max_body
        self.deadline = float(service.settings.deadline)
        self.keepalive = float(self.cfg.keepalive)
        self.open = OpenConnections(service.admission.bodies + self.max_body)
        self.note = self.open.note
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = MOST_CONNECTIONS if files == resource.RLIM_INFINITY else files - SPARE_FILES
        self.most = max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, room))
        self.waiting: SimpleQueue[tuple[Connection, ReceivedRequest]] = SimpleQueue()
        self.threads = 0
        self.idle: deque[None] = deque()
        """One for each thread that has nothing to do, and nothing on its way to it."""
        for listener in self.sockets:
            listener.setblocking(False)
        self.address = self.sockets[0].getsockname()
        self.count()
        self.loop.call_soon(self.tend)
        self.loop.run_forever()

    # --- accepting -----------------------------------------------------------------------------

    def may_accept(self) -> bool:
        """Whether the model is there, or it falls to this worker to say that it is not."""
        first = self.age <= self.cfg.workers and self.counts.is_first
        alone = self.cfg.workers == 1
        return bool(
            ((first or alone) and not is_awaited(self.pid))
            or self.wsgi.extensions["plumbline"].model.status.state != "loading"
        )

    def listen(self, wanted: bool) -> None:
        """Accept connections or not."""
        if wanted != self.listening:
            self.listening = wanted
            for listener in self.sockets:
                if wanted:
                    self.loop.add_reader(listener.fileno(), self.accept, listener)
                else:
                    self.loop.remove_reader(listener.fileno())
        self.count()

    def accept(self, listener: Any) -> bool:
        """Accept a connection, if no worker that has fewer takes it first; whether one was there.

        Where there are too many, others give way.
        """
        if self.counts.own > self.counts.fewest(self.cfg.workers):
            time.sleep(STEP_BACK)
        try:
            sock, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as exc:
            if exc.errno not in EXHAUSTED:
                raise
            self.listen(False)  # until the next turn; who waits goes on waiting in the backlog
            self.open.make_room(MANY)
            return False
        if len(self.open) >= self.most:
            self.open.make_room(1)
        sock.setblocking(False)
        with suppress(OSError):  # it may have ended already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)
        made = Connection(self, sock, client)
        made.opening = self.loop.create_task(self.loop.connect_accepted_socket(lambda: made, sock))
        self.count()
        return True

    def count(self) -> None:
        """Tell the other workers how many connections there are."""
        count = len(self.open) - len(self.open.leaving)
        self.counts.own = count if self.listening else CLOSED

    # --- what a connection asks ----------------------------------------------------------------

    def forget(self, connection: Connection) -> None:
        """Know nothing more of a connection."""
        self.open.forget(connection)
        self.count()

    def keeps(self, connection: Connection) -> bool:
        """Whether the connection stays here: this worker does, and no other has fewer."""
        if self.alive and self.counts.own < self.counts.fewest(self.cfg.workers) + 2:
            return True
        self.open.leaving.add(connection)
        self.count()
        return False

    def answer(self, connection: Connection, request: ReceivedRequest) -> None:
        """Answer a ping here and now, and what is quick, and let a thread answer all else."""
        if request.target == PING:
            connection.send(self.answered(connection, request))
            return
        if self.quick.include(request):
            with self.quick.timed():
                self.work_on(connection, request)
            return
        self.waiting.put((connection, request))
        if self.idle:
            self.idle.pop()
        elif self.threads < self.cfg.threads:
            self.threads += 1
            name = f"plumbline-answer-{self.threads}"
            threading.Thread(target=self.work, name=name, daemon=True).start()

    def work(self) -> None:
        """In a thread: answer one request after another."""
        while True:
            self.work_on(*self.waiting.get())  # nothing of it is held while there is none
            self.idle.append(None)

    def work_on(self, connection: Connection, request: ReceivedRequest) -> None:
        """Answer a request."""
        try:
            answer = self.answered(connection, request)
            held = self.pace.seconds() if answer.status == REFUSED else 0.0
            if held:
                self.loop.call_soon_threadsafe(self.send_later, held, connection, answer)
            else:
                connection.send(answer)
        except Exception:
            log.exception("An answer could not be sent.")
            self.loop.call_soon_threadsafe(connection.close)

    def send_later(self, seconds: float, connection: Connection, answer: Answer) -> None:
        """Send an answer after so many seconds; nothing is held meanwhile but the connection."""
        self.note(connection)
        self.loop.call_later(seconds, connection.send, answer)

    def answered(self, connection: Connection, request: ReceivedRequest) -> Answer:
        """What is answered, by way of Flask or without it."""
        try:
            act = self.direct(request.method, request.target.decode("latin-1"))
            if act:
                return exchange_of(request, connection.is_gone, self.observer).answered(act)
            environ = environ_of(request, connection.client, self.address, connection.is_gone)
            return ask(self.wsgi, environ)
        except Exception:
            log.exception("A request could not be answered.")
            error = PlumblineError("The server failed on this request; see its log.")
            return refusal(error)

    # --- from time to time ---------------------------------------------------------------------

    def tend(self) -> None:
        """Look after everything that is not asked for, again and again until the end."""
        try:
            self.look_after()
        except Exception:
            log.exception("Something failed that is done from time to time.")
        if self.ends and (not self.open or time.monotonic() > self.ends):
            self.loop.stop()
            return
        self.loop.call_later(TEND_SECONDS if self.listening else LOOK_SECONDS, self.tend)

    def look_after(self) -> None:
        """The heartbeat, connections whose time is up, and whether to go on."""
        self.notify()
        self.telling.tend()
        self.open.settle()
        now = time.monotonic()
        for one in self.open:
            if one.expires <= now:
                one.expire()
        tenure = self.wsgi.extensions.get(TENURE)
        if (tenure and tenure.is_over(self.ppid)) or self.ppid != os.getppid():
            self.alive = False
        if self.alive:
            self.listen(self.may_accept())
        elif not self.ends:
            self.end(now)

    def end(self, now: float) -> None:
        """Take those who have connected already, and refuse everybody else."""
        self.ends = now + self.cfg.graceful_timeout
        self.keepalive = END_SECONDS  # for who is told only now to be kept
        self.listen(False)
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()
        for state in (State.SILENT, State.IDLE, State.HEADER, State.LINGER):
            for one in self.open.by_state[state]:
                one.expires = min(one.expires, now + END_SECONDS)
