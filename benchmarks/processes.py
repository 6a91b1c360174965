"""What the kernel says of a tree of processes: who is in it, its CPU time, its memory. Linux only.

Memory is the proportional set size: pages that several processes share are divided among them, so
that the sum over a tree counts each once.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")

TICKS = os.sysconf("SC_CLK_TCK")

INTERVAL = 0.5
"""Seconds between two looks at the memory; each costs the server about a millisecond."""


def stat_fields(line: str) -> list[str]:
    """The fields of `/proc/PID/stat` from the third on: a name may hold spaces and brackets."""
    return line.rpartition(")")[2].split()


def parents() -> dict[int, int]:
    """Every process's parent."""
    found = {}
    for pid in (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()):
        fields = fields_of(pid)
        if fields:
            found[pid] = int(fields[1])
    return found


def fields_of(pid: int) -> list[str]:
    """See `stat_fields`; empty for a process that has ended."""
    try:
        return stat_fields((PROC / str(pid) / "stat").read_text())
    except OSError:
        return []


def below(root: int, parent_of: dict[int, int]) -> Iterator[int]:
    """The processes that descend from one, without itself."""
    children = defaultdict(list)
    for pid, parent in parent_of.items():
        children[parent].append(pid)
    waiting = [*children[root]]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children[pid]


def descendants(root: int) -> list[int]:
    """Those that run now; zombies are not counted."""
    return [pid for pid in below(root, parents()) if runs(pid)]


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    return fields_of(pid)[:1] not in ([], ["Z"])


def cpu_seconds(root: int) -> float:
    """What a process, its descendants, and those of them that have ended have computed."""
    tree = (fields_of(pid) for pid in (root, *below(root, parents())))
    return sum(sum(map(int, fields[11:15])) for fields in tree if fields) / TICKS


def memory(root: int) -> int:
    """The bytes that the descendants of a process hold."""
    return sum(proportional(pid) for pid in below(root, parents()))


def proportional(pid: int) -> int:
    """The proportional set size in bytes; 0 for a process that has ended."""
    try:
        return proportional_in((PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:
        return 0


def proportional_in(text: str) -> int:
    """The line `Pss:` of a `smaps_rollup`, in bytes; a kernel thread has none."""
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[:1] == ["Pss:"]), 0)


class Watch:
    """Looks at a tree's memory again and again while a `with` block lasts."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, memory(self.root))
            if self._over.wait(INTERVAL):
                return

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
