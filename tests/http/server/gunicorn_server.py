"""A real gunicorn process with the real configuration, and what tests ask of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTAINER = Path(__file__).parents[3] / "container"
APPS = Path(__file__).parent / "apps"

PING_SECONDS = 15.0
"""SageMaker gives a ping two; on a busy machine it may take longer, but what would hold one up in
these tests holds it for a minute."""

DRAIN_SECONDS = 25.0
"""How long the server may take to end after SIGTERM."""


def wait_until(holds: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What `holds` returns once that is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"it did not happen within {seconds:g} seconds"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def error(self) -> str:
        """The error's code."""
        return str(json.loads(self.body)["error"]["code"])


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    sockets: ExitStack = field(default_factory=ExitStack)

    def ask(
        self, method: str, path: str, body: Any = None, seconds: float = 180, **headers: str
    ) -> Answer:
        """One request over a connection of its own."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        return Answer(response.status, dict(response.headers), data, time.monotonic() - started)

    def ping(self) -> Answer:
        """`GET /ping`."""
        return self.ask("GET", "/ping")

    def invoke(self, body: bytes, content_type: str = "application/x-image") -> Answer:
        """`POST /invocations`."""
        return self.ask("POST", "/invocations", body, **{"Content-Type": content_type})

    def is_ready(self) -> bool:
        """Whether a ping says 200."""
        try:
            return self.ping().status == 200
        except (ConnectionError, http.client.HTTPException):
            return False

    def until_ready(self) -> Server:
        """Wait for the first healthy ping, or for the end, which fails."""
        wait_until(lambda: self.is_ready() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self

    def connect(self, first: bytes = b"") -> socket.socket:
        """A raw connection that has sent `first`; closed when the test ends."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=180)
        self.sockets.enter_context(connection)
        connection.sendall(first)
        return connection

    def refuses(self) -> bool:
        """Whether new connections are refused."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        return False

    def try_to_invoke(self, picture: bytes) -> Answer | None:
        """`invoke`, for a server that may hang up without an answer."""
        try:
            return self.invoke(picture)
        except (ConnectionError, http.client.HTTPException):
            return None

    def workers(self) -> list[int]:
        """The process ids of the workers that were started, the newest last."""
        return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.said())]

    def said(self) -> str:
        """The whole log."""
        return self.log.read_text()

    def slowest_ping(self, during: Callable[[], bool]) -> float:
        """The longest that any ping took while `during` held; every one must say 200."""
        slowest = 0.0
        while during():
            ping = self.ping()
            assert ping.status == 200
            slowest = max(slowest, ping.seconds)
        return slowest


@contextmanager
def held_port() -> Iterator[int]:
    """A port that nobody listens on, and that is given to nobody else meanwhile.

    Linux lets a server listen where another socket is bound, if both reuse addresses.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        port = int(holder.getsockname()[1])
        if sys.platform != "linux":
            holder.close()
        yield port


@contextmanager
def running(
    folder: Path, arguments: str, settings: dict[str, str], app: str = "fake_app"
) -> Iterator[Server]:
    """A server with the app of `apps/<app>.py`, killed at the end if it still runs."""
    log = folder / "server.log"
    environment = {
        **{name: value for name, value in os.environ.items() if "PLUMBLINE" not in name},
        "PYTHONPATH": os.pathsep.join(map(str, (CONTAINER, APPS))),
        **settings,
    }
    called = f"{app}:application({arguments})"
    configuration = "python:plumbline.web.gunicorn_settings"
    command = [sys.executable, "-m", "gunicorn", "--config", configuration, called]
    with held_port() as port:
        environment.setdefault("SAGEMAKER_BIND_TO_PORT", str(port))
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        server = Server(process, port, log)
        try:
            with server.sockets:
                yield server
        finally:
            with suppress(ProcessLookupError):  # they may have ended by themselves
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
