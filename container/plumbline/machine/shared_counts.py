"""Counts of all processes of a server, in memory that they share."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

SEATS = 256
"""The most processes of a server."""

BYTES = 2
"""Of one count."""


class Counts:
    """A count for each process; without a `file` there is but this process."""

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._seat = 0
        memory: mmap.mmap | bytearray = bytearray(BYTES)
        if file is not None:
            # Never closed: that would free the seat.
            opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if has_room(opened):
                self._seat = free_seat(opened)
                memory = mmap.mmap(opened, BYTES * SEATS)
            else:
                os.close(opened)
        self._counts = memoryview(memory).cast("H")
        self.own = 0  # whoever sat here before may have died at work

    @property
    def seat(self) -> int:
        """The number that no other living process of the server has."""
        return self._seat

    @property
    def is_first(self) -> bool:
        """Whether this process has the first seat, which one has as long as there are any."""
        return self._seat == 0

    @property
    def own(self) -> int:
        """The count of this process."""
        return self._counts[self._seat]

    @own.setter
    def own(self, count: int) -> None:
        """Set it."""
        self._counts[self._seat] = count

    def fewest(self, processes: int) -> int:
        """The least count of a server's so many processes."""
        return min(self._counts[:processes])

    @contextmanager
    def one_more(self) -> Iterator[int]:
        """Count one more while this lasts; gives how many all processes have with it."""
        self._add(1)
        try:
            yield sum(self._counts)
        finally:
            self._add(-1)

    def _add(self, change: int) -> None:
        with self._lock:
            self.own += change


def has_room(file: int) -> bool:
    """Whether the disk holds all counts: writing into a hole of a full one would kill the process.

    Where there is none, each process counts for itself.
    """
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, BYTES * SEATS)
        else:  # macOS
            os.ftruncate(file, BYTES * SEATS)
    except OSError:
        return False
    return True


def free_seat(file: int) -> int:
    """Take the first seat that no living process has; its lock ends with the process."""
    for seat in range(SEATS - 1):
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, seat)
        except OSError:
            continue
        return seat
    return SEATS - 1


@cache
def counts_of(what: str, shared: Path | None) -> Counts:
    """What this process counts of such; `shared` is a folder of the server's processes."""
    return Counts(shared and shared / what)
