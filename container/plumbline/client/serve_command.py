"""`plumbline serve`: an archive, served on this machine, and how to ask it."""

from __future__ import annotations

import errno
import http.client
import mimetypes
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from plumbline.archive.tarball import unpacked
from plumbline.errors import CommandError
from plumbline.settings import environment
from plumbline.web.gunicorn_command import gunicorn_command

HERE = "127.0.0.1"

EVERYWHERE = {"0.0.0.0": HERE, "::": "::1"}  # noqa: S104 - what is told apart, not what is chosen
"""Addresses that stand for all of a machine's, and where it reaches itself then."""

MOMENT = 0.05
"""Seconds between two looks at a server that starts."""

GOLDEN = "golden"
"""The folder of an archive in which golden pictures lie, unless it says otherwise."""


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        host = self.reached
        shown = "localhost" if host == HERE else f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}"

    @property
    def reached(self) -> str:
        """An address to ask it at."""
        return EVERYWHERE.get(self.host, self.host)

    def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Status and Content-Type of an answer; 0 where there is none."""
        connection = http.client.HTTPConnection(self.reached, self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", "")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="The port to listen on.",
)
@click.option(
    "--host",
    default=HERE,
    show_default=True,
    help="The address to listen on; 0.0.0.0 lets other machines ask, too.",
)
def serve(model: Path, port: int, host: str) -> None:
    """Serve MODEL (a model.tar.gz or a folder) on this machine, without Docker.

    It is the same server that runs in the container: GET /ping says 200 once the golden
    pictures have come out right, POST /invocations takes pictures and JSON, and a browser finds a
    page at / to try it with (not with PLUMBLINE_PAGE=false). Ctrl-C ends it.

    \b
    plumbline serve model.tar.gz
    curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' localhost:8080/invocations
    """  # noqa: D301 - \b keeps click from rewrapping
    address = Address(host, port)
    check_free(address, model)
    with unpacked(model) as folder:
        sys.exit(run_server(folder, address, model))


def check_free(address: Address, model: Path) -> None:
    """Raise `CommandError` where no server could listen."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise CommandError(
                f"Nothing can listen at {address.host}, port {address.port}: {exc.strerror}."
            ) from exc
        another = address.port % 65535 + 1
        raise CommandError(
            f"Port {address.port} is taken: another program listens there. Choose another: "
            f"plumbline serve {shlex.quote(str(model))} --port {another}"
        ) from exc


def run_server(folder: Path, address: Address, model: Path) -> int:
    """Gunicorn on this folder, until it ends; its exit status.

    It gets SIGTERM from us, and Ctrl-C from the terminal itself. A model that can't be served ends
    it at once: there is no platform here that would ask for the reason.
    """
    given = environment.environment_for(folder, address.port)
    own = {"PLUMBLINE_FAILURE_GRACE_SECONDS": "0.1", "PLUMBLINE_PAGE": "true"}
    variables = {**own, **given}
    server = subprocess.Popen(gunicorn_command(address.host, address.port), env=variables)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while server.poll() is None:
        if address.get("/ping")[0] == 200:
            click.echo(how_to_ask(address, folder, model), err=True)
            break
        time.sleep(MOMENT)
    return server.wait()


def how_to_ask(address: Address, folder: Path, model: Path) -> str:
    """What is served where, and a line to type."""
    picture = picture_to_send(folder)
    kind = mimetypes.guess_type(picture.name)[0] or "application/x-image"
    lines = [
        "",
        f"Serving {model} at {address.url}. Try it, in another terminal:",
        "",
        f"    curl --data-binary @{shlex.quote(str(picture))} -H 'Content-Type: {kind}' \\",
        f"         {address.url}/invocations",
        "",
    ]
    if address.get("/", "text/html")[1].startswith("text/html"):
        lines.append(f"In a browser, {address.url} is a page to try the model with.")
    return "\n".join([*lines, "Ctrl-C stops the server.", ""])


def picture_to_send(folder: Path) -> Path:
    """A golden picture of the archive; the name of one that the user has, where there is none."""
    expected = sorted((folder / GOLDEN).glob("*.npz"))
    pictures = (file.with_suffix("") for file in expected)
    return next((file for file in pictures if file.is_file()), Path("photo.jpg"))
