"""How long each stage of a request took, and how long it may still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

TimeLeft = Callable[[], float]
"""Seconds until the deadline; raises `DeadlineExceeded` when there are none."""


class Stopwatch:
    """Milliseconds by the name of a stage; a stage that runs twice adds up."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        """Measure what runs inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = 1000 * (time.perf_counter() - start)
            self.laps[stage] = self.laps.get(stage, 0.0) + spent


@dataclass(frozen=True)
class Timing:
    """A request's time: what is left of it, and what was spent."""

    left: TimeLeft
    watch: Stopwatch = field(default_factory=Stopwatch)
