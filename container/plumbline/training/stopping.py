"""SIGTERM, which SageMaker sends 120 s before SIGKILL: an event, and a deadline."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from plumbline.machine import process_control

SECONDS = 110.0
"""What is used of the 120 s, so that SageMaker finds the model whole."""

EXIT_STATUS = 128 + signal.SIGTERM


class Stop:
    """Whether the job is to end. Read it between two steps; nothing is raised."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._event = threading.Event()
        self._deadline = float("inf")
        self._told: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        """Whether SIGTERM has come."""
        return self._event.is_set()

    @property
    def seconds_left(self) -> float:
        """What is left until all must be written; infinite while nobody has asked to stop."""
        return max(0.0, self._deadline - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the job is to end; whether it is."""
        return self._event.wait(seconds)

    def request(self) -> None:
        """As SIGTERM does; a second one changes nothing."""
        if not self._event.is_set():
            self._deadline = time.monotonic() + self._seconds
            self._event.set()
            for tell in list(self._told):
                tell()

    @contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """While the block runs, call this when the job is to end; at once if it already is."""
        self._told.append(tell)
        if self.requested:
            tell()
        try:
            yield
        finally:
            self._told.remove(tell)


@contextmanager
def stoppable(seconds: float = SECONDS) -> Iterator[Stop]:
    """A stop that SIGTERM and, on a terminal, Ctrl-C request while the block runs.

    It must be entered in the main thread, as Python delivers signals there.
    """
    stop = Stop(seconds)

    def request(_number: int, _frame: FrameType | None) -> None:
        stop.request()

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    process_control.heed_sigterm()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
