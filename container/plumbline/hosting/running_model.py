"""A model's process as the server sees it: until it has loaded, and then as it answers."""

from __future__ import annotations

import select
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline.errors import DeadlineExceeded
from plumbline.hosting.errors import ModelNotLoadable, ModelProcessEnded, NotEnoughMemory
from plumbline.hosting.fork_client import KILLED, Child
from plumbline.hosting.frames import Frame, receive, send

TICK = 0.05
"""Seconds between two looks at a load's memory."""

GRACE = 2.0
"""Seconds that an answer may be late: the process keeps the deadline itself, unless it hangs."""

MOST_STUCK = 4
"""So many requests may hang before the process is given up."""


def await_loaded(child: Child, tick: Callable[[], None]) -> Mapping[str, Any]:
    """What the process says of its models once they are loaded.

    Meanwhile `tick` is called; what it raises breaks the load off. Raises `NotEnoughMemory` and
    `ModelNotLoadable`.
    """
    poll = select.poll()
    poll.register(child.control, select.POLLIN)
    while not poll.poll(1000 * TICK):
        tick()
    try:
        said = receive(child.control).header
    except (EOFError, OSError) as exc:
        raise lost(child) from exc
    if said.get("memory"):
        raise NotEnoughMemory(f"Memory ran out while the model was loaded: {said['failed']}")
    if "failed" in said:
        raise ModelNotLoadable(f"The model failed to load: {said['failed']}")
    facts: Mapping[str, Any] = said["loaded"]
    return facts


def lost(child: Child) -> NotEnoughMemory | ModelNotLoadable:
    """Why a process has ended before it had loaded; the system kills where memory runs out."""
    child.ended.wait(GRACE)
    if child.status == KILLED:
        return NotEnoughMemory("The model's process was killed while it loaded: memory ran out.")
    return ModelNotLoadable(
        f"The model's process {child.words} while it loaded; the server's log may say why."
    )


class Running:
    """A process that answers, over as many connections as there are requests at a time.

    `folder` holds its temporary files, and goes with it.
    """

    def __init__(self, child: Child, folder: str | None) -> None:
        self.child = child
        self.facts: Mapping[str, Any] = {}
        self._folder = folder
        self.fresh = 0
        """Bytes that its loading took."""
        self.answered = 0
        self.at_work = 0
        """Requests that it is computing."""
        self.due = 0.0
        """When its memory is to be looked at again."""
        self._stuck = 0
        self._idle: list[socket.socket] = []

    def ask(self, frame: Frame, seconds: float) -> Frame:
        """The process's answer. Raises `DeadlineExceeded` and `ModelProcessEnded`."""
        try:
            with self._connection() as connection:
                connection.settimeout(seconds + GRACE)
                send(connection, frame)
                answer = receive(connection)
        except TimeoutError as exc:
            self._give_up()
            raise DeadlineExceeded("The model did not answer in time.") from exc
        except (EOFError, OSError) as exc:
            self.child.ended.wait(GRACE)
            raise ModelProcessEnded(
                f"The model's process {self.child.words} while it computed this request. It is "
                "loaded again; the server's log says what it wrote."
            ) from exc
        self.answered += 1
        return answer

    def is_due(self, pause: float) -> bool:
        """Whether to look at its memory now; then the next time is so many seconds later."""
        now = time.monotonic()
        if now < self.due:
            return False
        self.due = now + pause
        return True

    def close(self, grace: float) -> None:
        """Let the process end; returns when its memory is given back."""
        self.child.close(grace)
        for connection in self._idle:
            connection.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        """A connection that nobody else uses; one that failed is not used again."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self.child.ended.is_set():
            connection.close()
        else:
            self._idle.append(connection)

    def _connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.child.control, [b"+"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def _give_up(self) -> None:
        """A thread over there hangs, and can't be ended without its process."""
        self._stuck += 1
        if self._stuck >= MOST_STUCK:
            self.child.kill()


def own_folder(within: Path | None) -> str | None:
    """A folder for a process's temporary files; None where nothing can be written."""
    try:
        return tempfile.mkdtemp(prefix="plumbline-", dir=within)
    except OSError:
        return None
