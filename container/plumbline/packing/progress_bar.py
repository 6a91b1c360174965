"""How far a long command has come: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from plumbline.machine.program_name import as_called
from plumbline.settings import environment

Advance = Callable[[str], None]
"""Says that one more is done, and which."""


class Reporter:
    """Writes to a console; `say` a line, or `steps` that are counted."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """One line, its hints as they are typed here."""
        text = as_called(text, environment.program())
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def steps(self, what: str, total: int) -> Iterator[Advance]:
        """Count `total` things, each by its name."""
        counted = self.bar(what, total) if self.console.is_terminal else self.lines(what, total)
        with counted as advance:
            yield advance

    @contextmanager
    def stage(self, what: str, total: int, of: str = "to try") -> Iterator[Advance]:
        """Count many quick things: one line for all, where there is no terminal."""
        if self.console.is_terminal:
            with self.bar(what, total) as advance:
                yield advance
        else:
            self.say(f"{what} ({total} {of})")
            yield lambda _: None

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Advance]:
        """A bar that goes when all is done."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[name]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(what, total=total, name="")
            yield lambda name: progress.update(task, advance=1, name=name)

    @contextmanager
    def lines(self, what: str, total: int) -> Iterator[Advance]:
        """A line for each."""
        count = 0

        def advance(name: str) -> None:
            nonlocal count
            count += 1
            self.say(f"{what} {count}/{total}: {name}")

        yield advance


SILENT = Reporter(Console(quiet=True))
"""For whoever packs without a terminal."""
