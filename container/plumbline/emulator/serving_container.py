"""A container that serves as SageMaker runs it, by Docker's SDK, and requests to it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

MODEL = "/opt/ml/model"
"""Where SageMaker puts what is in model.tar.gz, read-only."""

PORT = 8080

SECONDS = 120.0
"""Of patience for an answer where nothing else is said."""

KEPT_LOG = {"max-size": "32m", "max-file": "1"}
"""A container that floods its log must not fill the disk."""

MOST_READ = 8 * 1024 * 1024
"""Bytes of a log that are read."""

LINES_READ = 20_000


@dataclass(frozen=True)
class Answer:
    """What came back; the headers by their names in small letters."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class ServingContainer:
    """A container that runs a server; its port is the one inside."""

    container: Any
    port: int = PORT
    found: tuple[str, int] | None = None

    @property
    def published(self) -> int:
        """The port on this machine that leads to the server."""
        self.container.reload()
        (binding, *_) = self.container.ports[f"{self.port}/tcp"]
        return int(binding["HostPort"])

    @property
    def inside(self) -> str:
        """The container's own address, or nothing."""
        self.container.reload()
        networks = self.container.attrs["NetworkSettings"]["Networks"] or {}
        return next((str(one["IPAddress"]) for one in networks.values() if one["IPAddress"]), "")

    @property
    def address(self) -> tuple[str, int]:
        """Where the server is reached: itself where this machine can, else through Docker's proxy.

        The proxy takes connections whether or not anybody listens behind it.
        """
        if self.found is None:
            inside = self.inside
            direct = bool(inside) and leads_there(inside, self.port)
            self.found = (inside, self.port) if direct else ("127.0.0.1", self.published)
        return self.found

    def connect(self, seconds: float = SECONDS) -> http.client.HTTPConnection:
        """A connection that is made. Raises `OSError`."""
        connection = http.client.HTTPConnection(*self.address, timeout=seconds)
        connection.connect()
        return connection

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        seconds: float = SECONDS,
    ) -> Answer:
        """One request over a connection of its own. Raises `OSError` and `HTTPException`."""
        begun = time.monotonic()
        connection = self.connect(seconds)
        try:
            return exchanged(connection, (method, path, body, headers), begun)
        finally:
            connection.close()

    def run(self, *command: str) -> tuple[int, str]:
        """The exit status and the output of a command inside."""
        status, output = self.container.exec_run(list(command))
        return int(status), output.decode(errors="replace")

    def is_running(self) -> bool:
        """Whether the container has not ended."""
        self.container.reload()
        return self.container.status in ("created", "running")

    def log_times(self, most: int) -> list[str]:
        """When the newest lines were written, as the engine says it; such texts can be compared."""
        return [line.split(" ", 1)[0] for line in self.log(most, timestamps=True).splitlines()]

    def log(self, tail: int = LINES_READ, timestamps: bool = False) -> str:
        """The newest lines of the log; of many megabytes the first."""
        kept = b""
        options = {"stream": True, "follow": False, "tail": tail, "timestamps": timestamps}
        stream = self.container.logs(**options)
        try:
            for piece in stream:
                kept += piece
                if len(kept) > MOST_READ:
                    break
        finally:
            stream.close()
        return kept.decode(errors="replace")

    def end(self, seconds: float | None = 90.0) -> int:
        """The exit status, once it has ended. Raises `OSError` if it does not in time."""
        return int(self.container.wait(timeout=seconds)["StatusCode"])


def leads_there(host: str, port: int) -> bool:
    """Whether this machine reaches a container's own address, as on Linux: refusing will do."""
    try:
        with socket.create_connection((host, port), 1.0):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


def exchanged(
    connection: http.client.HTTPConnection,
    request: tuple[str, str, Any, Mapping[str, str]],
    begun: float,
) -> Answer:
    """The answer to a request over this connection, which may serve for more."""
    connection.request(*request)
    response = connection.getresponse()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, body, headers, time.monotonic() - begun)


@contextmanager
def running(
    client: Any,
    image: str,
    model: Path | None,
    place: str = MODEL,
    mode: str = "ro",
    command: Sequence[str] = ("serve",),
    **options: Any,
) -> Iterator[ServingContainer]:
    """A container as SageMaker runs it: `serve`, the model read-only; removed at the end.

    The options are those of Docker's SDK. Raises its errors where the container can't be started.
    """
    from docker.types import LogConfig

    mounts = [f"{model}:{place}:{mode}"] if model else []
    port = int(options.get("environment", {}).get("SAGEMAKER_BIND_TO_PORT", PORT))
    given = {
        "ports": {port: ("127.0.0.1", None)},
        "log_config": LogConfig(type="json-file", config=KEPT_LOG),
        **options,
        "volumes": [*mounts, *options.get("volumes", [])],
    }
    container = client.containers.create(image, list(command), detach=True, **given)
    try:
        container.start()
        yield ServingContainer(container, port)
    finally:
        container.remove(force=True, v=True)
