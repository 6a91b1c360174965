"""The command line: `plumbline --help`."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import click

import plumbline
from plumbline.archive.tarball import unpacked
from plumbline.errors import PlumblineError
from plumbline.machine.quiet import muted
from plumbline.settings import environment
from plumbline.web.gunicorn_command import gunicorn_command

LAZY = {
    "pack": "plumbline.packing.commands:pack",
    "find-preprocess": "plumbline.packing.commands:find_preprocess",
    "bench": "plumbline.client.bench_command:bench",
    "compare": "plumbline.client.compare_command:compare",
    "predict": "plumbline.client.commands:predict",
    "transform": "plumbline.client.commands:transform",
    "tune": "plumbline.client.tuning.commands:tune",
}
"""Commands that are imported when they are meant: the server needs nothing of them."""


class Commands(click.Group):
    """A group whose commands end with one sentence, not a traceback, when something is wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all, in the order of the alphabet."""
        return sorted([*super().list_commands(ctx), *LAZY])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported if need be."""
        if cmd_name not in LAZY:
            return super().get_command(ctx, cmd_name)
        module, _, name = LAZY[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; exit with 1 and the sentence of any of our own errors."""
        try:
            return super().invoke(ctx)
        except PlumblineError as error:
            raise click.ClickException(error.message) from error


@click.group(cls=Commands)
@click.version_option(plumbline.__version__, prog_name="plumbline")
def main() -> None:
    """Serve Keras and TensorFlow image models as Amazon SageMaker does."""


@main.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--port", default=8080, show_default=True, help="The port to listen on.")
def serve(model: Path, port: int) -> None:
    """Serve MODEL (a model.tar.gz or a folder) on this machine, without Docker.

    It is the same server that runs in the container: GET /ping says 200 once the golden
    pictures have come out right, POST /invocations takes pictures and JSON. Ctrl-C ends it.

    \b
    plumbline serve build/demo/model.tar.gz
    curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' localhost:8080/invocations
    """  # noqa: D301 - \b keeps click from rewrapping
    with unpacked(model) as folder:
        sys.exit(run_server(folder, port))


def run_server(folder: Path, port: int) -> int:
    """Gunicorn on this folder, until it ends; its exit status.

    It gets SIGTERM from us, and Ctrl-C from the terminal itself.
    """
    server = subprocess.Popen(gunicorn_command(), env=environment.environment_for(folder, port))
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return server.wait()


@main.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts: one JSON object.")
def inspect(model: Path, as_json: bool) -> None:
    """Say what the server would make of MODEL (a model.tar.gz or a folder), and why.

    The model, its signatures, the preprocessing, the golden pictures, and the stages that a
    request goes through. The exit status is 1 for what can't be served, with the reason.
    """
    environment.quiet_frameworks()
    from rich.console import Console

    from plumbline.loading import inspection

    console = Console(highlight=False)
    with unpacked(model) as folder, console.status("Reading the model …"), muted():
        found = inspection.inspect(folder)
    if as_json:
        click.echo(json.dumps(inspection.document(found), indent=2, ensure_ascii=False))
    else:
        inspection.show(found, console)


@main.command("settings")
@click.option("--markdown", is_flag=True, help="The defaults, as the table in docs/settings.md.")
def show_settings(markdown: bool) -> None:
    """List every environment variable that the server reads, and what it is here."""
    environment.from_environment()
    for names, text, meaning in environment.shown({}) if markdown else environment.shown():
        value = "by the machine" if text is None else text or "nothing"
        if markdown:
            marked = " or ".join(f"`{name}`" for name in names)
            click.echo(f"| {marked} | {value} | {meaning} |")
        else:
            click.echo(f"{' or '.join(names)} = {value}\n    {meaning}")
