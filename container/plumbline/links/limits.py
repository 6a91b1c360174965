"""What the fetching of one link may cost: bytes and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from plumbline.errors import LinkFailed, LinkTooLarge
from plumbline.links.policy import Link

MEBIBYTE = 1024 * 1024

PIECE = 64 * 1024


@dataclass(frozen=True)
class Bounds:
    """At most so many bytes, and until when, by the monotonic clock."""

    size: int
    end: float

    def left(self) -> float:
        """Seconds left. Raises `TimeoutError` when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def collect(self, link: Link, declared: int | None, read: Callable[[int], bytes]) -> bytes:
        """All that `read(bytes)` gives, piece by piece, of which there should be `declared`.

        Raises `LinkTooLarge`, before reading where that is declared; `LinkFailed` where less came;
        `TimeoutError`.
        """
        if (declared or 0) > self.size:
            raise self.too_large(link)
        data = bytearray()
        while piece := read(PIECE):
            self.left()
            data += piece
            if len(data) > self.size:
                raise self.too_large(link)
        if len(data) != (len(data) if declared is None else declared):
            raise LinkFailed(f"{link.name} breaks off before its end; try again.")
        return bytes(data)

    def too_large(self, link: Link) -> LinkTooLarge:
        """The error for too many bytes."""
        return LinkTooLarge(
            f"{link.name} has more than the {self.size / MEBIBYTE:g} MiB that are taken. Link to a "
            "smaller picture, or raise PLUMBLINE_MAX_BODY_MB."
        )
