"""Whether a process that runs a user's code should go on: a pure function over a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

MOST_HANGING = 4
"""Threads left behind: each holds memory, and one that computes takes its share of every other."""

MOST_SHARE = 0.9
"""Of its memory that a process may occupy, before the kernel ends it in the midst of requests."""

EARLY = 0.8
"""Of its memory that a process and its successor may occupy: it may grow on until that is there."""

GROWN = 2.0
"""A process that is so many times as large as it began has kept what it should not have."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Condition:
    """How a process is: threads that hang; bytes that it has, had at first, and may have."""

    hanging: int
    resident: int
    fresh: int
    share: int


@dataclass(frozen=True)
class Verdict:
    """Why it should be replaced, and whether there is room for its successor beside it."""

    reason: str
    beside: bool
    kind: str
    """`hung` or `leaked`."""


def judge(now: Condition) -> Verdict | None:
    """Why the process should be replaced, if it should."""
    beside = now.resident + now.fresh <= MOST_SHARE * now.share
    if now.hanging >= MOST_HANGING:
        return Verdict(f"{now.hanging} threads of its handler hang", beside, "hung")
    if now.resident > tolerable(now.fresh, now.share):
        grown = f"{now.fresh // MEBIBYTE:,} MiB to {now.resident // MEBIBYTE:,}"
        allowed = f"{now.share // MEBIBYTE:,} MiB"
        said = f"its memory has grown from {grown}, of {allowed} that it may have"
        return Verdict(said, beside, "leaked")
    return None


def tolerable(fresh: int, share: int) -> float:
    """Bytes that it may have: so that a successor has room beside it, where that can be."""
    return max(EARLY * share - fresh, min(GROWN * fresh, MOST_SHARE * share))
