"""The real image in a real container, and what tests ask of it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.emulator import serving_container
from plumbline.emulator.serving_container import ServingContainer

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
class Answer(serving_container.Answer):
    """What came back."""

    @property
    def scores(self) -> dict[str, float]:
        """The score of each label that was answered, the best first."""
        (prediction,) = self.document["predictions"]
        return {found["label"]: found["score"] for found in prediction["classes"]}


@dataclass
class Running:
    """A container that runs the server."""

    serving: ServingContainer

    @property
    def container(self) -> Any:
        """Docker's own view of it."""
        return self.serving.container

    @property
    def published(self) -> int:
        """The port on this machine that leads to the server."""
        return self.serving.published

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request over the network."""
        try:
            return Answer(**vars(self.serving.ask(method, path, body, headers)))
        except TimeoutError as exc:
            sockets = self.run("sh", "-c", "cat /proc/net/tcp")
            raise AssertionError(
                f"no answer to {method} {path}; the container's connections are\n{sockets}\n"
                f"and its log is\n{self.said()}"
            ) from exc

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
        assert self.serving.is_running(), self.said()
        try:
            return self.ping().status > 0
        except (OSError, http.client.HTTPException):
            return False

    def is_ready(self) -> bool:
        """Whether a ping says 200; fails the test if the server has ended."""
        return self.listens() and self.ping().status == 200

    def run(self, *command: str) -> str:
        """The output of a command inside, which must succeed."""
        status, output = self.serving.run(*command)
        assert status == 0, output
        return output

    def said(self) -> str:
        """The whole log."""
        return self.serving.log()

    def workers(self) -> list[int]:
        """The workers' process ids inside the container: the children of the first process."""
        return [int(pid) for pid in self.run("cat", "/proc/1/task/1/children").split()]

    def end(self) -> int:
        """The exit status, once the container has ended."""
        return self.serving.end()


@contextmanager
def running(
    client: Any, image: str, model: Path, place: str = "/opt/ml/model", **options: Any
) -> Iterator[Running]:
    """A container as SageMaker runs it: `serve`, the model read-only; removed at the end."""
    with serving_container.running(client, image, model, place, **options) as started:
        yield Running(started)
