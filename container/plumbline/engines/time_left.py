"""How long whoever asked will still wait."""

from __future__ import annotations

from collections.abc import Callable

TimeLeft = Callable[[], float]
"""Seconds until the deadline. Raises `DeadlineExceeded` when there are none, or `ClientGone`."""


def lasting(seconds: float) -> TimeLeft:
    """The time of work that no client waits for: so many seconds, whenever it is asked."""
    return lambda: seconds
