"""What deploy.py is called here, so that what it tells to type can be pasted as it stands."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click

NAME = "python deploy.py"
"""What messages call it."""

SERVER = "plumbline"
"""What they call the command line of the server's package."""

DEPLOY = re.compile(rf"(?<![\w./-]){re.escape(NAME)}\b")
INSPECT = re.compile(rf"(?<![\w./-]){SERVER} (?=(?:bench|drift|inspect|pack|predict|recipe)\b)")


@dataclass
class Called:
    """The names of both command lines here."""

    deploy: str = NAME
    server: str = SERVER

    def heed(self, context: click.Context) -> None:
        """Take the names of this command line, and of the program that it is a command of."""
        self.deploy = context.command_path
        if context.parent:
            self.server = context.parent.command_path
        elif self.deploy != NAME:
            self.server = f"{shlex.quote(sys.executable)} -m {SERVER}"

    def words(self, text: str) -> str:
        """The text, its hints naming the programs as they were called."""
        named = INSPECT.sub(lambda _: f"{self.server} ", text)
        return DEPLOY.sub(lambda _: self.deploy, named)


CALLED = Called()


def script_name() -> str:
    """What was typed to run deploy.py itself."""
    return " ".join(map(shlex.quote, (sys.orig_argv[0], sys.argv[0])))


def version() -> str:
    """That of the server's package beside this one, or of the installed one."""
    beside = Path(__file__).parents[2] / "container" / SERVER / "__init__.py"
    if not beside.is_file():
        return metadata.version(SERVER)
    [found] = re.finditer(r'^__version__ = "(.+)"', beside.read_text("utf-8"), re.MULTILINE)
    return found[1]
