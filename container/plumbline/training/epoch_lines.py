"""What a job prints while it trains: its recipe's lines, and a bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

QUIET_SECONDS = 30.0
"""How often an epoch that takes long is heard of."""

Lines = Callable[[int, Mapping[str, float], float], Iterable[str]]
"""The epoch, its metrics and its seconds → what is printed of it."""


def on_terminal() -> bool:
    """Whether somebody looks on."""
    return sys.stderr.isatty()


@dataclass
class EpochLines:
    """A recipe's lines after each epoch, one every half minute in between, each written at once."""

    lines: Lines
    epochs: int
    size: int
    write: Callable[[str], None] = lambda line: print(line, flush=True)  # noqa: T201
    bars: bool = field(default_factory=on_terminal)
    begun: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    told_step: int = 0

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Hear of a step that is done."""
        now = time.monotonic()
        if self.bars:
            self.draw(epoch, step, steps)
        elif now - self.told >= QUIET_SECONDS:
            speed = self.size * (step + 1 - self.told_step) / (now - self.told)
            self.write(f"Epoch[{epoch}] Batch [{step + 1}/{steps}] Speed: {speed:.2f} samples/sec")
            self.told, self.told_step = now, step + 1

    def draw(self, epoch: int, step: int, steps: int) -> None:
        """A bar on the terminal's last line."""
        done = 30 * (step + 1) // steps
        bar = f"{'━' * done}{' ' * (30 - done)}"
        end = "\r\x1b[K" if step + 1 == steps else ""
        sys.stderr.write(f"\rEpoch {epoch + 1}/{self.epochs} {bar} {step + 1}/{steps}{end}")
        sys.stderr.flush()

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Say how an epoch went."""
        now = time.monotonic()
        for line in self.lines(epoch, metrics, now - self.begun):
            self.write(line)
        self.begun = self.told = now
        self.told_step = 0
