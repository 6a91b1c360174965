"""What is offered where a change breaks off: to go on, to go back, to look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deployment.aws.client import Aws
from deployment.errors import AnsweredWrong, Refused
from deployment.plan.state import Running
from deployment.terminal.progress import say

NOTHING = "nothing before"


def nothing_before(running: Running) -> Refused:
    """The error where nothing is kept of what ran before."""
    name = running.order.name
    return Refused(
        f"There is nothing to roll back to: {name} runs {running.config}, and nothing is kept "
        f"from before. `python deploy.py update {name} --model …` takes an older archive as well.",
        NOTHING,
    )


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
