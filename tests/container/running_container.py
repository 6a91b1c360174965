"""The real image in a real container, and what tests ask of it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DRAIN_SECONDS = 25.0
"""How long the server may take to end after SIGTERM."""


def wait_until(holds: Callable[[], Any], seconds: float = 90.0) -> Any:
    """What `holds` returns once that is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"it did not happen within {seconds:g} seconds"
        time.sleep(0.1)
    return found


def readable(folder: Path) -> None:
    """Let any user of a container read the folder, whoever runs the tests."""
    for path in (folder, *folder.rglob("*"), *folder.parents[:2]):
        path.chmod(0o755 if path.is_dir() else 0o644)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def scores(self) -> dict[str, float]:
        """The score of each label that was answered, the best first."""
        (prediction,) = self.document["predictions"]
        return {found["label"]: found["score"] for found in prediction["classes"]}


@dataclass
class Running:
    """A container that runs the server."""

    container: Any
    port: int

    @property
    def published(self) -> int:
        """The port on this machine that leads to the server."""
        self.container.reload()
        (binding, *_) = self.container.ports[f"{self.port}/tcp"]
        return int(binding["HostPort"])

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request over the network."""
        connection = http.client.HTTPConnection("127.0.0.1", self.published, timeout=300)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def ping(self) -> Answer:
        """`GET /ping`."""
        return self.ask("GET", "/ping")

    def invoke(
        self, body: bytes, content_type: str = "application/x-image", **headers: str
    ) -> Answer:
        """`POST /invocations`."""
        return self.ask("POST", "/invocations", body, **{"Content-Type": content_type}, **headers)

    def listens(self) -> bool:
        """Whether the server answers at all; fails the test if it has ended."""
        self.container.reload()
        assert self.container.status in ("created", "running"), self.said()
        try:
            return self.ping().status > 0
        except (OSError, http.client.HTTPException):
            return False

    def is_ready(self) -> bool:
        """Whether a ping says 200; fails the test if the server has ended."""
        return self.listens() and self.ping().status == 200

    def run(self, *command: str) -> str:
        """The output of a command inside, which must succeed."""
        status, output = self.container.exec_run(list(command))
        assert status == 0, output.decode()
        return str(output.decode())

    def said(self) -> str:
        """The whole log."""
        return str(self.container.logs().decode())

    def workers(self) -> list[int]:
        """The workers' process ids inside the container: the children of the first process."""
        return [int(pid) for pid in self.run("cat", "/proc/1/task/1/children").split()]

    def end(self) -> int:
        """The exit status, once the container has ended."""
        return int(self.container.wait(timeout=90)["StatusCode"])


@contextmanager
def running(
    client: Any, image: str, model: Path, place: str = "/opt/ml/model", **options: Any
) -> Iterator[Running]:
    """A container as SageMaker runs it: `serve`, the model read-only; removed at the end."""
    mounts = {str(model): {"bind": place, "mode": "ro"}}
    port = int(options.get("environment", {}).get("SAGEMAKER_BIND_TO_PORT", 8080))
    container = client.containers.run(
        image, "serve", detach=True, volumes=mounts, ports={port: ("127.0.0.1", None)}, **options
    )
    try:
        yield Running(container, port)
    finally:
        container.remove(force=True)
