"""What is offered where a change breaks off: to go on, to go back, to look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deployment.aws.client import Aws
from deployment.errors import AnsweredWrong
from deployment.terminal.progress import say


@contextmanager
def going_on(aws: Aws, name: str) -> Iterator[None]:
    """Where this breaks off, say how to go on, and how back; wrong answers take it back anyway."""
    try:
        yield
    except AnsweredWrong:
        raise
    except BaseException:
        say(
            f"The same command goes on from here; `python deploy.py rollback {name} {aws.where}` "
            f"rolls back, and `python deploy.py status {name} {aws.where}` shows how it is."
        )
        raise
