"""How soon a crowd that asks again and again is refused: a moment later, so that others are served.

Who is refused at once, and asks again at once, keeps the server busy with refusals: measured with
512 connections, they took half of the answers from those who had a place. A refusal that waits
costs a connection and no thread. Where few are refused, they are told at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

HELD_SECONDS = 0.25
"""How long a refusal waits; who heeds its Retry-After waits a second anyhow."""

WINDOW_SECONDS = 0.1
"""The time over which refusals are counted."""

FEW = 10
"""Refusals of one process in that time that are told at once."""


class RefusalPace:
    """Counts the refusals of a worker; may be called from several threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count = 0
        self._ends = 0.0

    def seconds(self) -> float:
        """How long the next refusal is to wait; 0 for not at all."""
        now = self._clock()
        if now >= self._ends:
            self._count, self._ends = 0, now + WINDOW_SECONDS
        self._count += 1
        return HELD_SECONDS if self._count > FEW else 0.0
