"""The command line: `plumbline --help`."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
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
    """  # noqa: D301 - \b keeps click from rewrapping
    if model.is_dir():
        sys.exit(run_server(model.resolve(), port))
    with tempfile.TemporaryDirectory(prefix="plumbline-model-") as folder:
        unpack(model, Path(folder))
        sys.exit(run_server(Path(folder), port))


def run_server(folder: Path, port: int) -> int:
    """Gunicorn on this folder, until it ends; its exit status.

    It gets SIGTERM from us, and Ctrl-C from the terminal itself.
    """
    command = [sys.executable, "-m", "gunicorn", "--config", str(GUNICORN_CONFIG)]
    server = subprocess.Popen(command, env=environment.environment_for(folder, port))
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return server.wait()


@main.command("settings")
@click.option("--markdown", is_flag=True, help="The defaults, as the table in docs/settings.md.")
def show_settings(markdown: bool) -> None:
    """List every environment variable that the server reads, and what it is here."""
    environment.from_environment()
    for names, text, meaning in environment.shown({}) if markdown else environment.shown():
        value = text or "by the machine"
        if markdown:
            marked = " or ".join(f"`{name}`" for name in names)
            click.echo(f"| {marked} | {value} | {meaning} |")
        else:
            click.echo(f"{' or '.join(names)} = {value}\n    {meaning}")
