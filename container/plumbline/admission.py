"""Who may enter, who waits, and for how long.

A request first takes a place (or is turned away), then waits for a slot in the order of
arrival, then works. Places are few because each may hold a whole body in memory.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from plumbline.errors import DeadlineExceeded, ServerBusy
from plumbline.stopwatch import Stopwatch


class Deadline:
    """The moment by which a request must be answered."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds left. Raises `DeadlineExceeded` when there are none."""
        left = self._end - self._clock()
        if left <= 0:
            raise DeadlineExceeded("The request's time was up before its answer was there.")
        return left


@dataclass(frozen=True)
class Load:
    """A snapshot: how many requests are inside, and how many may be."""

    inside: int
    slots: int
    queue: int


def admits(load: Load) -> bool:
    """Whether one more may enter."""
    return load.inside < load.slots + load.queue


class Admission:
    """Places and slots of one process."""

    def __init__(self, slots: int, queue: int) -> None:
        self._slots = slots
        self._queue = queue
        self._free = slots
        self._inside = 0
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def load(self) -> Load:
        """How full it is right now."""
        return Load(self._inside, self._slots, self._queue)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. Raises `ServerBusy` when there is none."""
        with self._lock:
            if not admits(self.load):
                raise ServerBusy(
                    f"{self._slots} requests are being answered and {self._queue} are waiting; "
                    "try again in a moment, or add instances."
                )
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    @contextmanager
    def slot(self, deadline: Deadline, watch: Stopwatch) -> Iterator[None]:
        """Wait for a slot and hold it. Raises `DeadlineExceeded`."""
        with watch.lap("wait"):
            self._acquire(deadline)
        try:
            yield
        finally:
            self._release()

    def _acquire(self, deadline: Deadline) -> None:
        left = deadline.remaining()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(left):
            return
        with self._lock:
            if turn.is_set():  # it came while we gave up: hand it on
                self._hand_on()
            else:
                self._waiting.remove(turn)
        raise DeadlineExceeded("The request waited for its turn until its time was up.")

    def _release(self) -> None:
        with self._lock:
            self._hand_on()

    def _hand_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1
