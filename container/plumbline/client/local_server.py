"""An archive, served by a process of its own, as `plumbline serve` does, for as long as needed."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from plumbline.archive.tarball import unpacked
from plumbline.errors import CommandError
from plumbline.loading.served_model import READY
from plumbline.settings import environment
from plumbline.web.gunicorn_command import gunicorn_command

SECONDS = 480.0
"""As long as SageMaker waits for the first healthy ping."""

TROUBLE = re.compile(r"\S+ (ERROR|WARNING) ")
"""Begins the lines of the log that say why a server does not come up; tracebacks don't."""

LOGGING = {
    "PLUMBLINE_LOG_FORMAT": "text",
    "PLUMBLINE_LOG_LEVEL": "info",
    "PLUMBLINE_FAILURE_GRACE_SECONDS": "1",
}
"""What its log must say for us to know how it goes."""


@contextmanager
def served(
    model: Path, settings: Mapping[str, str] = MappingProxyType({}), processes: int = 0
) -> Iterator[str]:
    """The URL of a server with these settings that is ready, in so many processes if that matters.

    Raises `CommandError` with its log where it does not come up.
    """
    with (
        unpacked(model) as folder,
        tempfile.TemporaryDirectory(prefix="plumbline-server-") as place,
    ):
        log, port = Path(place) / "log", free_port()
        process = started(folder, port, log, settings)
        try:
            wait_until_ready(process, port, log, model, processes)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def started(
    folder: Path, port: int, log: Path, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """The server; Ctrl-C is for us, who end it then."""
    variables = {**environment.environment_for(folder, port), **LOGGING, **settings}
    with log.open("wb") as output:
        return subprocess.Popen(
            gunicorn_command("127.0.0.1", port),
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def wait_until_ready(
    process: subprocess.Popen[bytes], port: int, log: Path, model: Path, processes: int
) -> None:
    """Ask again and again. Raises `CommandError`."""
    deadline = time.monotonic() + SECONDS
    while not is_ready(port) or log.read_text("utf-8", "replace").count(READY) < processes:
        if process.poll() is not None or time.monotonic() > deadline:
            raise CommandError("\n".join([f"{model} could not be served:", *trouble(log)]))
        time.sleep(0.1)


def trouble(log: Path) -> list[str]:
    """What the log complains of; all of it, where that is nothing."""
    lines = log.read_text("utf-8", "replace").splitlines()
    return [line for line in lines if TROUBLE.match(line)] or lines


def is_ready(port: int) -> bool:
    """Whether a ping says 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
