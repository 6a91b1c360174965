"""Processes, and the memory that they occupy, as Linux's /proc tells them."""

from __future__ import annotations

import os
import re
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def family(pid: int) -> list[int]:
    """The process, those that it has started, and those that they have."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    found = [child for listed in threads for child in started_by(listed)]
    return [pid, *(below for child in found for below in family(child))]


def started_by(listed: Path) -> list[int]:
    """The processes in a thread's list; the thread may have ended since it was found."""
    try:
        return [int(child) for child in listed.read_text().split()]
    except OSError:
        return []


def occupied(pid: int) -> int:
    """Bytes that the process and those below it occupy."""
    return sum(map(share_of, family(pid)))


def written(pid: int) -> int:
    """The same of memory that they have written to: in that no other process has a share.

    What is read from files counts less where more processes read it, those of other tests as well.
    """
    return sum(share_of(one, "Pss_Anon") for one in family(pid))


def share_of(pid: int, kind: str = "Pss") -> int:
    """Bytes of one process, its share of what it shares; none, if it has just ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * sum(map(int, re.findall(rf"^{kind}: +(\d+) kB", rollup, re.MULTILINE)))
