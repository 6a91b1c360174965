"""The command line of `deploy.py`: its commands, and how they end."""

from __future__ import annotations

import importlib
from typing import Any

import click

from deployment.errors import DeploymentError
from deployment.terminal.progress import TALK

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
