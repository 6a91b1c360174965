"""How long each stage of a request took, and how long it may still take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from plumbline.engines.time_left import TimeLeft


class Stopwatch:
    """Milliseconds by the name of a stage; a stage that runs twice adds up."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.answered = 0
        self.refused = 0
        """Pictures."""

    def lap(self, stage: str) -> Lap:
        """Measure what runs inside of a `with`."""
        return Lap(self.laps, stage)


class Lap:
    """One run of a stage; a class of its own, because every request has a dozen of them."""

    __slots__ = ("_laps", "_stage", "_start")

    def __init__(self, laps: dict[str, float], stage: str) -> None:
        self._laps = laps
        self._stage = stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = 1000 * (time.perf_counter() - self._start)
        self._laps[self._stage] = self._laps.get(self._stage, 0.0) + spent


@dataclass(frozen=True)
class Timing:
    """A request's time: what is left of it, and what was spent."""

    left: TimeLeft
    watch: Stopwatch = field(default_factory=Stopwatch)
