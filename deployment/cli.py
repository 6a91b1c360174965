"""The command line of `deploy.py`: its commands, what they have in common, how they end."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import click
from rich.console import Console
from rich.status import Status

from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.errors import DeploymentError
from deployment.names import check_name

COMMANDS = {
    "up": "deployment.commands.up:up",
    "update": "deployment.commands.update:update",
    "rollback": "deployment.commands.rollback:rollback",
    "weights": "deployment.commands.weights:weights",
    "invoke": "deployment.commands.invoke:invoke",
    "transform": "deployment.commands.transform:transform",
    "status": "deployment.commands.status:status",
    "logs": "deployment.commands.logs:logs",
    "list": "deployment.commands.list:list_endpoints",
    "down": "deployment.commands.down:down",
}
"""Each is imported when it is meant."""

INTERRUPTED = 130

SECONDS_BETWEEN_LINES = 30.0


class Ended(click.ClickException):
    """The end of a command that did not do what it should: a sentence, and an exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What scripts see."""
        return self.status


class Commands(click.Group):
    """Commands that end with a sentence, not a traceback, when something is wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all, in the order in which they are needed."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what went wrong is said in its own words, with its own status."""
        try:
            return super().invoke(ctx)
        except DeploymentError as error:
            TALK.stop()
            raise Ended(str(error), error.exit_code) from error
        except KeyboardInterrupt as error:
            TALK.stop()
            raise Ended("Interrupted.", INTERRUPTED) from error


def checked(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """A name that AWS takes."""
    try:
        return check_name(value)
    except DeploymentError as exc:
        raise click.BadParameter(str(exc)) from exc


NAME = click.argument("name", callback=checked)

WHERE = (
    click.option("--region", help="The AWS region.  [default: that of your AWS setup]"),
    click.option(
        "--profile", help="Which of your AWS profiles.  [default: that of your AWS setup]"
    ),
)

DRY_RUN = click.option(
    "--dry-run", is_flag=True, help="Print what would be asked of AWS, and do nothing."
)


def options(*groups: Any) -> Callable[[Any], Any]:
    """All of these as one decorator, in their order."""
    single = [
        option for group in groups for option in (group if isinstance(group, tuple) else (group,))
    ]
    return lambda function: reduce(lambda made, option: option(made), reversed(single), function)


def connect(asked: dict[str, Any]) -> Aws:
    """AWS, as --region and --profile say."""
    return Aws(asked["region"], asked["profile"])


class Talk:
    """What is said on standard error while something happens; answers go to standard output."""

    def __init__(self) -> None:
        self.spinner: Status | None = None
        self.said = -math.inf

    def say(self, text: str) -> None:
        """One line."""
        self.stop()
        self.said = -math.inf
        click.echo(text, err=True)

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
def told(performer: Performer, removal: str) -> Iterator[None]:
    """Where this breaks off, say what there is by now, how to go on and how to remove it."""
    try:
        yield
    except (DeploymentError, KeyboardInterrupt):
        if performer.done:
            say("There is by now:")
            for what in performer.done:
                say(f"  {what}")
            say("The same command goes on from here. This removes it, but for the bucket:")
            say(f"  {removal}")
        raise


@click.group(cls=Commands)
def main() -> None:
    """Put a model that Plumbline packed behind an Amazon SageMaker endpoint, and take it away.

    An endpoint is a name in your AWS account that answers pictures sent to it; behind it run
    machines that AWS bills until you remove them with `down`. Every command takes --dry-run, which
    prints what would be asked of AWS and does nothing.

    \b
    ./build_and_push.sh                     prints the URI of the image
    python deploy.py up cats --image URI --model model.tar.gz --role ARN
    python deploy.py invoke cats cat.jpg
    python deploy.py update cats --model better.tar.gz
    python deploy.py down cats
    """  # noqa: D301 - \b keeps click from rewrapping
