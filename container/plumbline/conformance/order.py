"""What is asked of a run: the image, what goes with it, and how long things may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GARBAGE = bytes(range(256)) * 4
"""A body that is neither text nor a file of any kind."""


@dataclass(frozen=True)
class Sample:
    """A request that the image should answer, and the answer if it is known."""

    body: bytes = GARBAGE
    content_type: str = "application/octet-stream"
    given: bool = False
    """Whether somebody gave it; else it is garbage, and only manners are judged."""
    expected: bytes | None = None
    tolerance: float = 1e-4

    @property
    def headers(self) -> dict[str, str]:
        """What goes with the body."""
        return {"Content-Type": self.content_type}


@dataclass(frozen=True)
class Order:
    """One run of the command."""

    image: str
    model: Path | None = None
    sample: Sample = Sample()
    multi_model: bool = False
    batch: bool = False
    train: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    """Names of checks and letters of groups; nothing stands for all."""
    starts_within: float = 480.0
    ends_within: float = 30.0
    thorough: bool = False

    @property
    def idle(self) -> float:
        """Seconds that a connection lies idle before it is used again."""
        return 60.0 if self.thorough else 1.0

    @property
    def crowded(self) -> float:
        """Seconds of requests from a crowd, while pings are timed."""
        return 20.0 if self.thorough else 2.0

    @property
    def many(self) -> int:
        """Requests after which memory is looked at."""
        return 500 if self.thorough else 150

    def wants(self, name: str) -> bool:
        """Whether a check is to be run."""
        return not self.only or name in self.only or name[0] in self.only
