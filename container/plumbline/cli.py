"""The command line: `plumbline --help`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import click

import plumbline
from plumbline import settings as environment
from plumbline.errors import PlumblineError
from plumbline.tarball import unpack

GUNICORN_CONFIG = Path(plumbline.__file__).parents[1] / "gunicorn.conf.py"


class Commands(click.Group):
    """A group whose commands end with one sentence, not a traceback, when something is wrong."""

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
    """
    packed = model.is_file()
    folder = unpack_aside(model) if packed else model.resolve()
    variables = environment.environment_for(folder, port, unpacked=packed)
    command = [sys.executable, "-m", "gunicorn", "--config", str(GUNICORN_CONFIG)]
    os.execve(sys.executable, command, variables)


def unpack_aside(archive: Path) -> Path:
    """The archive in a temporary folder, which the server removes when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-model-"))
    try:
        unpack(archive, folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


@main.command("settings")
@click.option("--markdown", is_flag=True, help="As the table in docs/settings.md.")
def show_settings(markdown: bool) -> None:
    """List every environment variable that the server reads, with what it is now."""
    chosen = environment.from_environment()
    for entry in fields(environment.Settings):
        names = " or ".join(entry.metadata["names"])
        if markdown:
            click.echo(f"| `{names}` | {entry.metadata['help']} |")
        else:
            click.echo(f"{names} = {getattr(chosen, entry.name)}\n    {entry.metadata['help']}")
