"""Whether one more model fits into memory, and which load to break off: pure functions.

All numbers are bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SHARE_FOR_REQUESTS = 4
"""What requests in flight may need beside the models is kept free, up to this part of it all."""


@dataclass(frozen=True)
class Loading:
    """A load under way: what it was estimated to take, and what it has taken so far."""

    estimate: int
    taken: int = 0

    @property
    def promised(self) -> int:
        """What it will still take."""
        return max(0, self.estimate - self.taken)

    @property
    def excess(self) -> int:
        """What it has taken beyond its estimate; negative below."""
        return self.taken - self.estimate


@dataclass(frozen=True)
class Room:
    """A snapshot: what may be used and is, what is kept for requests, and the loads under way."""

    limit: int
    used: int
    reserve: int
    loading: Sequence[Loading] = ()

    @property
    def free(self) -> int:
        """What one more model may take; negative where there is too little already."""
        promised = sum(load.promised for load in self.loading)
        return self.limit - self.used - self.reserve - promised

    @property
    def short(self) -> bool:
        """Whether so little is left that a load under way has to be broken off."""
        return self.limit - self.used < self.reserve // 2


def reserve(limit: int, slots: int, largest: int) -> int:
    """What is kept for requests: `largest` for each slot, but no more than a part of the limit."""
    return min(slots * largest, limit // SHARE_FOR_REQUESTS)


def slots_for(size: int, slots: int, reserve: int) -> int:
    """The slots that a request takes which needs `size`: as large a part of them as of the reserve.

    So those that are in work together stay within it, but for one that is larger by itself.
    """
    return max(1, math.ceil(size * slots / max(1, reserve)))


def fits(room: Room, estimate: int) -> bool:
    """Whether a model may be loaded that is estimated to take so much."""
    return estimate <= room.free


def to_break_off(room: Room) -> int | None:
    """The load to break off: that which exceeds its estimate the most; None if there is no need."""
    if not room.short or not room.loading:
        return None
    return max(range(len(room.loading)), key=lambda number: room.loading[number].excess)
