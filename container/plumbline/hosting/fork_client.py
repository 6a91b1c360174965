"""The zygotes as the server sees them, and the processes that they fork."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from plumbline.errors import EngineError, PlumblineError
from plumbline.hosting.errors import NotEnoughMemory
from plumbline.machine.child_process import Ending

log = logging.getLogger("plumbline.hosting")

KILLED = -9

FRAMEWORKS: Mapping[str, tuple[str, ...]] = {
    "openvino": ("openvino",),
    "tensorflow": ("openvino", "tensorflow"),
}
"""What each kind of zygote imports."""


class Child:
    """A process that was forked; `control` leads to it, `ended` is set when it is gone."""

    def __init__(self, pid: int, control: socket.socket, kill: Callable[[int], None]) -> None:
        self.pid = pid
        self.control = control
        self.ended = threading.Event()
        self._kill = kill
        self.status = 0
        self._heirs: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def words(self) -> str:
        """How it ended."""
        return Ending(self.status, "").words

    def when_ended(self, act: Callable[[], None]) -> None:
        """Call `act` once, in a thread of its own, when the process is gone."""
        with self._lock:
            if not self.ended.is_set():
                self._heirs.append(act)
                return
        start(act)

    def end(self, status: int) -> None:
        """What the zygote's messages call when the process is gone."""
        with self._lock:
            self.status = status
            self.ended.set()
        for act in self._heirs:
            start(act)

    def kill(self) -> None:
        """End it, and all that it has started."""
        self._kill(self.pid)

    def close(self, grace: float) -> None:
        """Let it end by itself, or kill it after so many seconds; returns when it is gone."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        if not self.ended.wait(grace):
            self.kill()
            self.ended.wait()
        self.control.close()


class Mother:
    """One zygote, and its children that live."""

    def __init__(self, loader: str, kind: str) -> None:
        self._orders, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "plumbline.hosting.fork_server", loader]
        with theirs:
            self._process = subprocess.Popen(
                [*command, *FRAMEWORKS[kind]], stdin=theirs.fileno(), start_new_session=True
            )
        self.ended = False
        self._answers: queue.Queue[Child | PlumblineError] = queue.Queue()
        self._children: dict[int, Child] = {}
        self._turn = threading.Lock()
        self._speaking = threading.Lock()
        self._expected: socket.socket | None = None
        start(self._listen)

    def fork(self, order: Mapping[str, Any]) -> Child:
        """A new process, which has been given the order.

        Raises `NotEnoughMemory`, and `EngineError` where it is not for want of memory.
        """
        with self._turn:
            self._expected, theirs = socket.socketpair()
            with theirs:
                self._say({"fork": dict(order)}, theirs)
                answer = self._gone() if self.ended else self._answers.get()
            if isinstance(answer, PlumblineError):
                self._expected.close()
                raise answer
            return answer

    def _gone(self) -> PlumblineError:
        """Why nothing can be forked any more; the system kills where memory runs out."""
        words = Ending(self._process.wait(), "").words
        said = f"No process could be started for the model: the one that starts others {words}."
        return NotEnoughMemory(said) if self._process.returncode == KILLED else EngineError(said)

    def close(self) -> None:
        """End the zygote, and with it all of its children."""
        with contextlib.suppress(OSError):
            self._orders.shutdown(socket.SHUT_WR)
        self._process.wait()

    def _say(self, order: Mapping[str, Any], *sockets: socket.socket) -> None:
        data = json.dumps(order).encode() + b"\n"
        # That it has ended, the other thread tells.
        with self._speaking, contextlib.suppress(OSError):
            sent = socket.send_fds(self._orders, [data], [one.fileno() for one in sockets])
            self._orders.sendall(data[sent:])

    def _listen(self) -> None:
        """Take note of what the zygote says, until it ends."""
        with (
            self._orders,
            self._orders.makefile("r", encoding="utf-8") as said,
            contextlib.suppress(OSError),
        ):
            for line in said:
                self._hear(json.loads(line))
        self._process.wait()
        self.ended = True
        self._answers.put(self._gone())
        for child in [*self._children.values()]:
            child.end(KILLED)

    def _hear(self, message: Mapping[str, Any]) -> None:
        if "forked" in message and self._expected is not None:
            child = Child(message["forked"], self._expected, lambda pid: self._say({"kill": pid}))
            self._children[child.pid] = child
            self._answers.put(child)
        elif "refused" in message:
            said = f"No process could be started for the model: {message['refused']}."
            self._answers.put(NotEnoughMemory(said))
        elif "ended" in message:
            self._children.pop(message["ended"]).end(message["status"])


class Nursery:
    """The zygotes by kind, each started when it is first needed, and anew when it has ended."""

    def __init__(self, loader: str) -> None:
        self._loader = loader
        self._mothers: dict[str, Mother] = {}
        self._lock = threading.Lock()

    def prepare(self, kind: str) -> Mother:
        """The zygote of this kind."""
        with self._lock:
            found = self._mothers.get(kind)
            if found is None or found.ended:
                found = self._mothers[kind] = Mother(self._loader, kind)
            return found

    def fork(self, kind: str, order: Mapping[str, Any]) -> Child:
        """A process that loads a model; `kind` is one of `FRAMEWORKS`."""
        return self.prepare(kind).fork(order)

    def close(self) -> None:
        """End them all."""
        for mother in self._mothers.values():
            mother.close()


def start(act: Callable[[], None]) -> None:
    """Do it in a thread of its own."""
    threading.Thread(target=act, daemon=True).start()
