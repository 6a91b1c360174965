"""The command line of `deploy.py`: its commands, and how they end."""

from __future__ import annotations

import copy
import importlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from deployment.errors import DeploymentError, Misuse
from deployment.terminal.program import CALLED, version
from deployment.terminal.progress import TALK

COMMANDS = {
    "account": "deployment.commands.account:account",
    "up": "deployment.commands.up:up",
    "update": "deployment.commands.update:update",
    "rollback": "deployment.commands.rollback:rollback",
    "weights": "deployment.commands.weights:weights",
    "train": "deployment.commands.train:train",
    "search": "deployment.commands.search:search",
    "invoke": "deployment.commands.invoke:invoke",
    "page": "deployment.commands.page:page",
    "transform": "deployment.commands.transform:transform",
    "status": "deployment.commands.status:status",
    "drift": "deployment.commands.drift:drift",
    "logs": "deployment.commands.logs:logs",
    "list": "deployment.commands.status:list_endpoints",
    "models": "deployment.commands.models:models",
    "front": "deployment.commands.front:front",
    "register": "deployment.commands.register:register",
    "scan": "deployment.commands.scan:scan",
    "down": "deployment.commands.down:down",
}
"""Each is imported when it is meant."""

SECTIONS = {
    "Start here": ("account", "up", "invoke", "page", "down"),
    "Run": ("update", "weights", "rollback", "transform", "models", "register", "front"),
    "Examine": ("status", "list", "logs", "drift", "scan"),
    "Train": ("train", "search"),
}
"""How the help lists them; one that is named nowhere comes last."""

INTERRUPTED = 130

TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: with what there is by then."""


def terminate(_number: int, _frame: object) -> NoReturn:
    """What SIGTERM does while a command runs."""
    raise Terminated


@contextmanager
def terminable() -> Iterator[None]:
    """In this block SIGTERM raises `Terminated`."""
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Ended(click.ClickException):
    """The end of a command that did not do what it should: a sentence, and an exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What scripts see."""
        return self.status


VERSION_OPTION = click.version_option(version(), prog_name="plumbline")
"""Of the program, and of each of its commands."""


class Commands(click.Group):
    """Commands that end with a sentence, not a traceback, when something is wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of all, in the order in which they are needed."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported, its examples as they are typed here."""
        CALLED.heed(ctx)
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = copy.copy(getattr(importlib.import_module(module), name))
        command.params = [*command.params]
        VERSION_OPTION(command)
        command.help = CALLED.words(command.help or "")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As any group does; for what is misspelt, what may be meant. Raises `UsageError`."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = " or ".join(get_close_matches(args[0], COMMANDS))
            hint = f"Did you mean {near}?" if near else "--help lists those that there are."
            raise click.UsageError(f"There is no command {args[0]}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what all of it is for, its examples as they are typed here."""
        CALLED.heed(ctx)
        said, self.help = self.help, CALLED.words(self.help or "")
        super().format_help_text(ctx, formatter)
        self.help = said

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in sections, each with its first sentence."""
        others = tuple(set(COMMANDS).difference(*SECTIONS.values()))
        for title, names in (*SECTIONS.items(), ("More", others)):
            commands = filter(None, (self.get_command(ctx, name) for name in names))
            rows = [(str(each.name), (each.help or "").partition("\n\n")[0]) for each in commands]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what went wrong is said in its own words, with its own status."""
        try:
            with terminable():
                return super().invoke(ctx)
        except DeploymentError as error:
            TALK.stop()
            raise Ended(CALLED.words(str(error)), error.exit_code) from error
        except OSError as error:
            if error.filename is None:
                raise
            TALK.stop()
            said = f"{error.filename}: {error.strerror}. Name a file or folder that you may use."
            raise Ended(said, Misuse.exit_code) from error
        except KeyboardInterrupt as error:
            TALK.stop()
            status = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
            raise Ended("Interrupted.", status) from error


@click.group("python deploy.py", cls=Commands)
@VERSION_OPTION
def main() -> None:
    """Deploy a model packed by Plumbline as an Amazon SageMaker endpoint, and remove it.

    An endpoint is a name in your AWS account to which pictures are sent; behind it run instances
    that AWS bills until you remove them with `down`. Every command that changes something takes
    --dry-run, which prints the AWS calls and changes nothing. ./build_and_push.sh of the checkout
    pushes the image, and prints the URI to use.

    \b
    python deploy.py account    # creates the role, once
    python deploy.py up cats --image URI --model model.tar.gz --role ARN
    python deploy.py invoke cats cat.jpg
    python deploy.py train cats --data photos/ --image URI --role ARN
    python deploy.py update cats --model better.tar.gz
    python deploy.py down cats
    """  # noqa: D301 - \b keeps click from rewrapping
