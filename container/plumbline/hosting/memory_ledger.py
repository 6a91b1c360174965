"""The memory that is left, and the loads that are under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plumbline.hosting import memory_policy
from plumbline.hosting.errors import NotEnoughMemory
from plumbline.hosting.memory_policy import Loading, Room
from plumbline.machine.allocator import MEBIBYTE
from plumbline.machine.cgroups import Memory


class Load:
    """A load under way; `taken` is what it has taken so far, in bytes, and `most` at any time."""

    def __init__(self, estimate: int) -> None:
        self.estimate = estimate
        self.taken = 0
        self.most = 0

    def take(self, taken: int) -> None:
        """Note what it holds now."""
        self.taken = taken
        self.most = max(self.most, taken)


class Ledger:
    """Says whether a model may be loaded, and whether its load must be broken off.

    `memory` measures; `reserve` is what is kept for requests, in bytes.
    """

    def __init__(self, memory: Callable[[], Memory], reserve: int) -> None:
        self._memory = memory
        self._reserve = reserve
        self._loads: list[Load] = []
        self._lock = threading.Lock()

    @contextmanager
    def promised(self, estimate: int) -> Iterator[Load]:
        """Hold room for so many bytes. Raises `NotEnoughMemory`."""
        with self._lock:
            now = self._room()
            if not memory_policy.fits(now, estimate):
                raise short_of(estimate, max(0, now.free))
            load = Load(estimate)
            self._loads.append(load)
        try:
            yield load
        finally:
            with self._lock:
                self._loads.remove(load)

    def check(self, load: Load) -> None:
        """Raise `NotEnoughMemory` if this is the load to break off, because memory runs short."""
        with self._lock:
            now = self._room()
            chosen = memory_policy.to_break_off(now)
            if chosen is not None and self._loads[chosen] is load:
                raise short_of(load.most, max(0, now.free))

    def share_of(self, held: int) -> int:
        """Bytes that a process which holds so many may have: half of what is free is for others."""
        with self._lock:
            return held + max(0, self._room().free) // 2

    def _room(self) -> Room:
        memory = self._memory()
        loading = [Loading(load.estimate, load.taken) for load in self._loads]
        return Room(memory.limit, memory.used, self._reserve, loading)


def short_of(wanted: int, free: int) -> NotEnoughMemory:
    """The error that says how much is missing."""
    return NotEnoughMemory(
        f"Memory is short: the model takes about {wanted / MEBIBYTE:.0f} MiB, and "
        f"{free / MEBIBYTE:.0f} MiB are free for models. Unload others first."
    )
