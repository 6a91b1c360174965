"""A user's code runs in threads of its own: nobody waits for one longer than its request may take.

Python can't end a thread. One that hangs is left behind and counted, so that its process can be
replaced before there are too many.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from plumbline.engines.time_left import TimeLeft
from plumbline.errors import DeadlineExceeded

log = logging.getLogger("plumbline.handlers")

T = TypeVar("T")


class Cutoff:
    """Threads for a user's code, and how many of them were left behind."""

    def __init__(self) -> None:
        self._late: set[threading.Thread] = set()
        self._lock = threading.Lock()

    @property
    def hanging(self) -> int:
        """How many threads still run whose requests have been answered without them."""
        with self._lock:
            self._late = {thread for thread in self._late if thread.is_alive()}
            return len(self._late)

    def run(self, act: Callable[[], T], time_left: TimeLeft) -> T:
        """What `act` returns or raises. Raises `DeadlineExceeded` when the time is up before."""
        outcome: Future[T] = Future()
        thread = threading.Thread(
            target=contextvars.copy_context().run,  # what it logs belongs to the request, too
            args=(fulfil, outcome, act),
            name="plumbline-handler",
            daemon=True,
        )
        thread.start()
        if wait([outcome], time_left()).done:
            return outcome.result()
        with self._lock:
            self._late.add(thread)
        log.error("A handler hangs and is left behind. It is at:\n%s", whereabouts(thread))
        raise DeadlineExceeded(
            "The handler did not answer before the request's time was up; the server's log says "
            "where it was. PLUMBLINE_DEADLINE_SECONDS gives it more."
        )


def fulfil(outcome: Future[T], act: Callable[[], T]) -> None:
    """Let the outcome be what `act` returns or raises."""
    try:
        outcome.set_result(act())
    except BaseException as exc:  # it belongs to whoever waits
        outcome.set_exception(exc)


def whereabouts(thread: threading.Thread) -> str:
    """The lines that a thread is at."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no other way
    return "".join(traceback.format_stack(frame)) if frame else "(it has just ended)"
