"""The command line: `plumbline --help`."""

from __future__ import annotations

import copy
import errno
import importlib
import json
import tempfile
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

import plumbline
from plumbline.archive.tarball import unpacked
from plumbline.errors import PlumblineError
from plumbline.machine.program_name import as_called
from plumbline.machine.quiet import muted
from plumbline.settings import environment

LAZY = {
    "init": "plumbline.packing.first_files:init",
    "pack": "plumbline.packing.commands:pack",
    "find-preprocess": "plumbline.packing.commands:find_preprocess",
    "bench": "plumbline.client.bench_command:bench",
    "conform": "plumbline.conformance.conform_command:conform",
    "compare": "plumbline.client.compare_command:compare",
    "drift": "plumbline.monitoring.drift_command:drift",
    "page": "plumbline.client.page_command:page",
    "predict": "plumbline.client.commands:predict",
    "serve": "plumbline.client.serve_command:serve",
    "transform": "plumbline.client.commands:transform",
    "recipe": "plumbline.training.recipe_command:recipe",
    "train": "plumbline.training.commands:train",
    "tune": "plumbline.client.tuning.commands:tune",
    "deploy": "deployment.cli:main",
}
"""Commands that are imported when they are meant: the server needs nothing of them."""

SECTIONS = {
    "Start here": ("init", "pack", "serve", "predict", "page"),
    "Run": ("transform", "train", "deploy"),
    "Examine": ("inspect", "find-preprocess", "compare", "conform", "drift", "recipe", "settings"),
    "Tune": ("bench", "tune"),
}
"""How the help lists the commands; one that is named nowhere comes last."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a full disk is told as."""

PROTECTED = (errno.EROFS, errno.EACCES, errno.EPERM)
"""What a file or a folder that others own is told as, and a disk that must not be written to."""


VERSION_OPTION = click.version_option(plumbline.__version__, prog_name="plumbline")
"""Of the program, and of each of its commands."""


class Commands(click.Group):
    """A group whose commands end with one sentence, not a traceback, when something is wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all that are there, in the order of the alphabet."""
        there = (name for name, place in LAZY.items() if find_spec(place.partition(".")[0]))
        return sorted([*super().list_commands(ctx), *there])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported if need be, its examples as they are typed here."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = super().get_command(ctx, cmd_name)
        if found is None:
            module, _, name = LAZY[cmd_name].partition(":")
            found = getattr(importlib.import_module(module), name)
        command = copy.copy(found)
        command.params = [*found.params]
        if not isinstance(command, click.Group):
            VERSION_OPTION(command)
        command.help = as_called(found.help or "", environment.program())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As any group does; for what is misspelt, what may be meant. Raises `UsageError`."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-"):
            near = " or ".join(get_close_matches(args[0], names))
            hint = f"Did you mean {near}?" if near else "--help lists those that there are."
            raise click.UsageError(f"There is no command {args[0]}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line, under the name that was typed."""
        return super().main(*args, **{"prog_name": environment.program(), **extra})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in sections, each with its first sentence and an example."""
        names = self.list_commands(ctx)
        others = set(names).difference(*SECTIONS.values())
        for title, chosen in (*SECTIONS.items(), ("More", tuple(sorted(others)))):
            commands = {name: self.get_command(ctx, name) for name in chosen if name in names}
            rows = [row for name, found in commands.items() for row in told(name, found)]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; exit with 1 and the sentence of any of our own errors."""
        try:
            return super().invoke(ctx)
        except PlumblineError as error:
            said = as_called(error.message, environment.program())
            raise click.ClickException(said) from error
        except OSError as error:
            where = error.filename or tempfile.gettempdir()
            if error.errno in PROTECTED:
                raise click.ClickException(
                    f"{where}: {error.strerror}. Go to a folder, or name a file, that you may read "
                    "and write; TMPDIR names a folder for temporary files."
                ) from error
            if error.errno not in NO_ROOM:
                raise
            raise click.ClickException(
                f"{where} can't be written: {error.strerror}. Make room there, or name another "
                "folder for temporary files in TMPDIR."
            ) from error


def told(name: str, command: click.Command | None) -> Iterator[tuple[str, str]]:
    """The rows of a command: what it does, and its first example."""
    said = (command and command.help) or ""
    yield name, " ".join(said.partition("\n\n")[0].split())
    lines = map(str.strip, said.partition("\b\n")[2].splitlines())
    start = f"{environment.program()} {name} "
    examples = (line for line in lines if f"{line} ".startswith(start))
    yield from (("", f"\b\n{line}") for line in [*examples][:1])


@click.group("plumbline", cls=Commands)
@VERSION_OPTION
def main() -> None:
    """Serve Keras and TensorFlow image models as Amazon SageMaker does.

    `COMMAND --help` says more of each command.
    """


@main.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def inspect(model: Path, as_json: bool) -> None:
    """Show what the server would serve from MODEL (a model.tar.gz or a folder), and why.

    The model, its signatures, the preprocessing, the golden pictures, and the stages that a
    request goes through. The exit status is 1 for what can't be served, with the reason.

    \b
    plumbline inspect model.tar.gz
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.quiet_frameworks()
    from rich.console import Console

    from plumbline.loading import inspection, inspection_report

    console = Console(highlight=False)
    with unpacked(model) as folder, console.status("Reading the model …"), muted():
        found = inspection.inspect(folder, environment.from_environment().allow_ops)
    if as_json:
        click.echo(json.dumps(inspection_report.document(found), indent=2, ensure_ascii=False))
    else:
        inspection_report.show(found, console)


@main.command("settings")
@click.option("--markdown", is_flag=True, help="The defaults, as the table in docs/settings.md.")
def show_settings(markdown: bool) -> None:
    """List every environment variable of the server, with its value here.

    \b
    plumbline settings
    """  # noqa: D301 - \b keeps click from rewrapping
    environment.from_environment()
    if markdown:
        click.echo("| variable | default | meaning |\n|---|---|---|")
    for names, text, meaning in environment.shown({}) if markdown else environment.shown():
        value = "by the machine" if text is None else text or "nothing"
        if markdown:
            marked = " or ".join(f"`{name}`" for name in names)
            click.echo(f"| {marked} | {value} | {meaning} |")
        else:
            click.echo(f"{' or '.join(names)} = {value}\n    {meaning}")
