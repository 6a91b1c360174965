"""One client's connection, on the event loop: requests one after another, and what they wait for.

While a request is in work nothing is received but a first piece of what may follow it, and nothing
of that is looked at. What is unread, unsent or unfinished costs memory of known size, a place in a
dict and no thread, and each has its time.
"""

from __future__ import annotations

import asyncio
import math
import socket
import threading
import time
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Protocol

from plumbline.machine.sockets import has_ended
from plumbline.web.exchange import Answer, late, refusal
from plumbline.web.received_request import HEADER_BYTES, BadRequest, ReceivedRequest, take_header
from plumbline.web.wsgi_bridge import CONTINUE

HEADER_SECONDS = 10.0
"""How long the rest of a header may take."""

LINGER_SECONDS = 5.0
"""How long a client may go on sending after its answer; a reset would take the answer from it."""

WRITE_SECONDS = 20.0
"""How long a client may read nothing of its answer."""

SCRATCH = memoryview(bytearray(256 * 1024))
"""Where the loop receives for all connections: what it has received is copied at once."""

PIECE = 16 * 1024
"""Bytes that are received at a time, where no body is expected."""


class State(Enum):
    """What a connection waits for: the request, the rest of it, its answer, that it is taken."""

    SILENT = auto()
    IDLE = auto()
    HEADER = auto()
    BODY = auto()
    WORK = auto()
    WRITE = auto()
    LINGER = auto()


class Front(Protocol):
    """What a connection asks of the worker."""

    max_body: int
    deadline: float
    keepalive: float
    loop: asyncio.AbstractEventLoop

    def answer(self, connection: Connection, request: ReceivedRequest) -> None:
        """Have the request answered; `Connection.send` takes the answer."""

    def keeps(self, connection: Connection) -> bool:
        """Decide whether the connection is kept after this answer."""

    def note(self, connection: Connection) -> None:
        """Learn that the connection's state is another one, or that it has more of a body."""

    def forget(self, connection: Connection) -> None:
        """Learn that the connection is no more."""


class Connection(asyncio.BufferedProtocol):
    """Reads, and writes; what it does at which time depends on its state."""

    transport: asyncio.Transport
    opening: asyncio.Task[Any] | None
    """What makes the transport."""

    def __init__(self, front: Front, sock: socket.socket, client: Any) -> None:
        self.front = front
        self.sock = sock
        self.client = client
        self.buffer = bytearray()
        self.heard = 0.0
        """When something came last."""
        self.request: ReceivedRequest | None = None
        self.has_ended = False
        self.is_kept = False
        self._is_sent = False
        """Whether a thread has sent the answer, which the loop has not noticed yet."""
        self._sending = threading.Lock()
        """Held while a thread sends: the socket's number may be another one's once it is closed."""
        self._is_closed = False
        self._is_paused = False
        self._unsent = 0
        self.turn(State.SILENT, front.keepalive)

    def turn(self, state: State, seconds: float) -> None:
        """Be in that state, for so many seconds at most."""
        self.state, self.since = state, time.monotonic()
        self.expires = self.since + seconds
        self.front.note(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type
        self.transport = transport
        transport.set_write_buffer_limits(0)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where to receive: as much as is missing of a body, and little of anything else."""
        return SCRATCH[
            : self.request.missing if self.request and self.state is State.BODY else PIECE
        ]

    def buffer_updated(self, size: int) -> None:
        """Something has come."""
        if self.state is State.LINGER:
            return
        self.heard = time.monotonic()
        if self.state is State.WORK:
            self.settle()
        request = self.request if self.state is State.BODY else None
        came = request.body if request and not request.is_chunked else self.buffer
        came += SCRATCH[:size]
        if self.state in (State.WORK, State.WRITE):
            self.hold()
            self.settle()  # it may have been sent while this came
        else:
            self.advance()

    def advance(self) -> None:
        """Go on with what has come."""
        if self.state in (State.WORK, State.WRITE, State.LINGER):
            return
        request = self.request or self.begin()
        if request is None:
            return
        if not request.is_whole and not request.is_over(self.front.max_body):
            request.take(self.buffer)
        if request.is_whole or request.trouble or request.is_over(self.front.max_body):
            self.submit(request)
        else:
            self.front.note(self)
            self.receive()

    def hold(self) -> None:
        """Receive nothing more until what is here has been answered."""
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def receive(self) -> None:
        """Receive again: what is here is not enough for a request."""
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    def begin(self) -> ReceivedRequest | None:
        """Read the header, if it is there."""
        header = take_header(self.buffer)
        if not header:
            if len(self.buffer) >= HEADER_BYTES:
                self.transport.abort()
            elif self.buffer and self.state is not State.HEADER:
                self.turn(State.HEADER, HEADER_SECONDS)
            self.receive()
            return None
        self.turn(State.BODY, self.front.deadline)
        try:
            self.request = request = ReceivedRequest(header)
        except BadRequest as exc:
            self.turn(State.WORK, math.inf)
            self.send(refusal(exc))
            return None
        is_due = not (request.is_whole or request.is_over(self.front.max_body))
        if request.waits_for_word and is_due and not self.buffer:
            self.transport.write(CONTINUE)
        return request

    def submit(self, request: ReceivedRequest) -> None:
        """Have the request answered."""
        self.turn(State.WORK, math.inf)
        self.front.answer(self, request)

    def give_up(self) -> None:
        """Let the app say, and log, that the body has not come."""
        if self.request:
            self.request.trouble = late()
            self.request.taken()
            self.submit(self.request)

    def is_gone(self) -> bool:
        """Whether the client has hung up, asked by the threads that work for it.

        Who has only said that nothing more will be sent counts as gone too, as with nginx.
        """
        return self.has_ended or (self._is_paused and has_ended(self.sock))

    def send(self, answer: Answer) -> None:
        """Send the answer, in any thread, and say truly whether another request may follow.

        The loop is woken only where it has more to do than to wait for that.
        """
        request, sent, is_sent = self.request, 0, False
        may = request is not None and request.is_whole and request.may_be_followed
        self.is_kept = may and not self.has_ended and self.front.keeps(self)
        data = answer.encoded(is_last=not self.is_kept)
        with self._sending, suppress(OSError):  # the loop will meet it again
            sent = 0 if self._is_closed else self.sock.send(data)
            is_sent = self._is_sent = self.is_kept and sent == len(data)
        with suppress(RuntimeError):  # the loop is closed where this came too late
            if not is_sent:
                self.front.loop.call_soon_threadsafe(self.write, data[sent:])
            elif self.buffer or self._is_paused or self.has_ended:
                self.front.loop.call_soon_threadsafe(self.settle)

    def settle(self) -> None:
        """Go on, if a thread has sent the answer."""
        with self._sending:
            is_sent = self._is_sent
        if is_sent:
            self.go_on()

    def write(self, data: bytes) -> None:
        """Send what there is of an answer, and go on once the client has taken it."""
        if self.transport.is_closing():
            self.front.forget(self)
            return
        self.transport.write(data)
        self._unsent = self.transport.get_write_buffer_size()
        if self._unsent:
            self.turn(State.WRITE, WRITE_SECONDS)
        else:
            self.go_on()

    def resume_writing(self) -> None:
        """The client has taken its answer."""
        if self.state is State.WRITE:
            self.go_on()

    def go_on(self) -> None:
        """Wait for the next request, or hang up and read on until the client does too."""
        self._is_sent = False
        self.request = None
        if self.is_kept and (self.buffer or not self.has_ended):
            self.turn(State.IDLE, self.front.keepalive)
            if self.buffer:
                self.hold()
                self.front.loop.call_soon(self.advance)
                return
        elif self.has_ended:
            self.transport.close()
        else:
            self.buffer.clear()
            self.turn(State.LINGER, LINGER_SECONDS)
            with suppress(OSError):  # it is gone already
                self.transport.write_eof()
        self.receive()

    def eof_received(self) -> bool:
        """The client sends no more; whether it is still to be answered."""
        self.has_ended = True
        self.settle()
        if self.state is State.BODY:
            self.give_up()
        return self.state in (State.WORK, State.WRITE)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is no more."""
        self.has_ended = True
        with self._sending:
            self._is_closed, self._is_sent = True, False
        self.opening = None  # its result leads back here: such a cycle lives long
        if self.state is State.BODY:
            self.give_up()
        self.front.forget(self)

    def close(self) -> None:
        """Give way to another connection."""
        if self.opening:
            self.opening.add_done_callback(lambda _: self.transport.abort())

    def expire(self) -> None:
        """Its time is up."""
        if self.state is State.BODY:
            self.give_up()
        elif self.state is State.WRITE and self.transport.get_write_buffer_size() < self._unsent:
            self._unsent = self.transport.get_write_buffer_size()
            self.turn(State.WRITE, WRITE_SECONDS)
        else:
            self.transport.abort()
