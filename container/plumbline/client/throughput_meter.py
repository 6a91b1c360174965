"""How fast a long run goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Advance = Callable[[], None]
"""Says that one more is done."""

SECONDS_BETWEEN_LINES = 10.0


class RateColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last while."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s")


@contextmanager
def counted(console: Console, what: str, total: int, done: int) -> Iterator[Advance]:
    """Count up to `total`, of which some are done already."""
    meter = bar if console.is_terminal else lines
    with meter(console, what, total, done) as advance:
        yield advance


@contextmanager
def bar(console: Console, what: str, total: int, done: int) -> Iterator[Advance]:
    """A bar with the rate and the time left; it goes when all is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total, completed=done)
        yield lambda: progress.update(task, advance=1)


@contextmanager
def lines(console: Console, what: str, total: int, done: int) -> Iterator[Advance]:
    """A line every few seconds."""
    pace = Pace(total, done, time.monotonic())

    def advance() -> None:
        line = pace.advance(time.monotonic())
        if line:
            console.print(f"{what}: {line}", highlight=False, soft_wrap=True)

    yield advance


@dataclass
class Pace:
    """How far a run has come, in words; its clock is the caller's."""

    total: int
    done: int
    started: float

    def __post_init__(self) -> None:
        self.before = self.done
        self.said = self.started

    def advance(self, now: float) -> str | None:
        """One more is done; a line, if the last one is a while ago."""
        self.done += 1
        if now - self.said < SECONDS_BETWEEN_LINES:
            return None
        self.said = now
        rate = (self.done - self.before) / (now - self.started)
        left = duration((self.total - self.done) / rate)
        return f"{self.done:,} of {self.total:,}, {rate:.1f} a second, {left} left"


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
