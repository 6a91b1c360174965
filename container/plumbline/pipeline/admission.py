"""Who may enter, who waits, and for how long.

A request first takes a place (or is turned away), then waits for a slot in the order of
arrival, then works. Places are few, and fewer for large bodies, because each holds one in memory; a
request that is large takes several slots, because it needs more memory still. Nothing is computed
for a client that has hung up, and when the places run out, those of such clients are free.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from plumbline.errors import ClientGone, DeadlineExceeded, ServerBusy
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import UNLIMITED


def stays() -> bool:
    """Says of a client that it has not hung up, where nobody can know."""
    return False


LESS_AT_ONCE = (
    "Send fewer pictures at a time, or have PLUMBLINE_DEADLINE_SECONDS raised on the server."
)

AGAIN = "Try again in a moment, or add instances."


class Deadline:
    """The moment by which a request must be answered; `gone` says whether its client hung up."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        gone: Callable[[], bool] = stays,
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.gone = gone

    def remaining(self) -> float:
        """Seconds left. Raises `DeadlineExceeded` when there are none, or `ClientGone`."""
        left = self._end - self._clock()
        if left <= 0:
            raise DeadlineExceeded(
                f"The request's time was up before its answer was there. {LESS_AT_ONCE}"
            )
        if self.gone():
            raise ClientGone("The client hung up before its answer was there.")
        return left


@dataclass(eq=False)
class Turn:
    """A request that waits for `weight` slots until `come` is set."""

    deadline: Deadline
    weight: int
    come: threading.Event = field(default_factory=threading.Event)
    dismissed: bool = False


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

    def __init__(self, slots: int, queue: int, bodies: int = UNLIMITED) -> None:
        self._slots = slots
        self._queue = queue
        self.bodies = bodies
        """Bytes that the bodies of all who are inside may have."""
        self._free = slots
        self._held = 0
        """Bytes that they have, at most."""
        self._inside: dict[Deadline, int] = {}
        self._waiting: deque[Turn] = deque()
        self._lock = threading.Lock()

    @property
    def load(self) -> Load:
        """How full it is right now."""
        return Load(len(self._inside), self._slots, self._queue)

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether nobody is inside."""
        return not self._inside

    @property
    def free(self) -> int:
        """How many slots nobody holds."""
        return self._free

    @contextmanager
    def place(self, deadline: Deadline, size: int = 0) -> Iterator[None]:
        """Hold a place, for a body of so many bytes at most. Raises `ServerBusy` without one."""
        with self._lock:
            if not self._admits(size):
                self._dismiss()
            if not self._admits(size):
                raise self._busy()
            self._inside[deadline] = size
            self._held += size
        try:
            yield
        finally:
            with self._lock:
                self._leave(deadline)

    def _admits(self, size: int) -> bool:
        fits = not self._inside or self._held + size <= self.bodies
        return fits and admits(self.load)

    def _busy(self) -> ServerBusy:
        """The error for one who is turned away."""
        if admits(self.load):
            inside = f"The bodies of {len(self._inside)} requests take the memory that there is"
        else:
            inside = f"{self._slots} requests are being answered and {self._queue} are waiting"
        return ServerBusy(f"{inside}; try again in a moment, or add instances.")

    def _leave(self, deadline: Deadline) -> None:
        self._held -= self._inside.pop(deadline, 0)

    def _dismiss(self) -> None:
        """Take the places of those who wait and whose clients have hung up."""
        for turn in [turn for turn in self._waiting if turn.deadline.gone()]:
            self._waiting.remove(turn)
            self._leave(turn.deadline)
            turn.dismissed = True
            turn.come.set()
        self._hand_on()

    @contextmanager
    def slot(self, deadline: Deadline, watch: Stopwatch, weight: int = 1) -> Iterator[None]:
        """Wait for so many slots, or all, and hold them.

        Raises `DeadlineExceeded` and `ClientGone`.
        """
        weight = min(weight, self._slots)
        with watch.lap("wait"):
            self._acquire(deadline, weight)
        try:
            deadline.remaining()  # its turn may have come too late, or its client have hung up
            yield
        finally:
            with self._lock:
                self._free += weight
                self._hand_on()

    def _acquire(self, deadline: Deadline, weight: int) -> None:
        left = deadline.remaining()
        with self._lock:
            if not self._waiting and weight <= self._free:
                self._free -= weight
                return
            turn = Turn(deadline, weight)
            self._waiting.append(turn)
        turn.come.wait(left)
        with self._lock:
            if turn.dismissed:
                raise ClientGone("The client hung up while its request waited.")
            if turn.come.is_set():
                return
            self._waiting.remove(turn)
            self._hand_on()
        raise DeadlineExceeded(f"The request waited for its turn until its time was up. {AGAIN}")

    def _hand_on(self) -> None:
        """Let those begin whose turn it is: the first in line, as long as there is room for it."""
        while self._waiting and self._waiting[0].weight <= self._free:
            turn = self._waiting.popleft()
            self._free -= turn.weight
            turn.come.set()
