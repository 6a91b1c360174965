"""What is said on standard error while something happens; answers go to standard output."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.status import Status

from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.terminal.program import CALLED

SECONDS_BETWEEN_LINES = 30.0


class Talk:
    """What is said on standard error while something happens; answers go to standard output."""

    def __init__(self) -> None:
        self.spinner: Status | None = None
        self.said = -math.inf

    def say(self, text: str) -> None:
        """One line."""
        self.stop()
        self.said = -math.inf
        click.echo(CALLED.words(text), err=True)

    def status(self, text: str) -> None:
        """How things stand: a line that changes on a terminal, one now and then elsewhere."""
        console = Console(stderr=True)
        if console.is_terminal:
            self.spinner = self.spinner or console.status(text)
            self.spinner.update(text)
            self.spinner.start()
        elif time.monotonic() - self.said >= SECONDS_BETWEEN_LINES:
            self.said = time.monotonic()
            click.echo(text, err=True)

    def stop(self) -> None:
        """Leave no changing line behind."""
        if self.spinner:
            self.spinner.stop()
            self.spinner = None


TALK = Talk()

say = TALK.say
"""One line about what happens."""


def performer(aws: Aws) -> Performer:
    """Carries out plans, and tells this terminal how it goes."""
    return Performer(aws, TALK.say, TALK.status)


@contextmanager
def told(performer: Performer, removal: str, again: str = "") -> Iterator[None]:
    """Where this breaks off, say what there is by now, how to go on and how to remove it.

    The same command goes on, unless another does: `again`.
    """
    try:
        yield
    except BaseException:
        if performer.done or performer.begun:
            say("There is by now:")
            for what in performer.done:
                say(f"  {what}")
            if performer.begun:
                say(f"  perhaps {performer.begun}: AWS was asked for it, and its answer not heard")
            goes_on = f"`{again}`" if again else "The same command"
            say(f"{goes_on} goes on from here. This removes it, but for the bucket:")
            say(f"  {removal}")
        raise
