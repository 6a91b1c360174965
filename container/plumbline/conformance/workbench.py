"""Where containers of a run are started, and from where none is left behind."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from plumbline.conformance.order import Order
from plumbline.emulator.serving_container import ServingContainer, running
from plumbline.errors import CommandError
from plumbline.machine.program_name import installing

LABEL = "plumbline.conform"


class CannotStart(CommandError):
    """The engine refuses to start a container of the image, and says why."""

    code = "cannot_start"


class Workbench:
    """A Docker engine, an image of it, and the containers that this run has made of it."""

    def __init__(self, client: Any, image: Any, order: Order, folder: Path) -> None:
        self.client = client
        self.image = image
        self.order = order
        self.folder = folder
        """For files of this run; the engine must see it under the same path."""
        self.label = uuid.uuid4().hex
        self.ended = threading.Event()

    def empty(self) -> Path:
        """A folder that any user may read, and that holds nothing."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    @property
    def model(self) -> Path:
        """What is mounted as the model; an empty folder where none was given."""
        return self.order.model or self.empty()

    @contextmanager
    def serve(self, model: Path | None = None, **options: Any) -> Iterator[ServingContainer]:
        """A container that serves. Raises `CannotStart`."""
        if self.ended.is_set():
            raise CannotStart("The run is being ended.")
        environment = {**self.order.environment, **options.pop("environment", {})}
        given = {"labels": {LABEL: self.label}, "environment": environment, **options}
        from docker.errors import APIError

        with ExitStack() as stack:
            try:
                container = running(self.client, self.image.id, model or self.model, **given)
                server = stack.enter_context(container)
            except APIError as error:
                said = error.explanation or str(error)
                raise CannotStart(f"Docker does not start it: {said}") from error
            yield server

    def clear(self) -> None:
        """Remove every container of this run."""
        self.ended.set()
        listed = {"all": True, "filters": {"label": f"{LABEL}={self.label}"}}
        from docker.errors import DockerException

        with suppress(DockerException, OSError):  # the engine may have ended
            for container in self.client.containers.list(**listed, ignore_removed=True):
                with suppress(DockerException, OSError):
                    container.remove(force=True, v=True)


@contextmanager
def opened(order: Order) -> Iterator[Workbench]:
    """The engine and the image. Raises `CommandError` where either is missing."""
    client = connected()
    with TemporaryDirectory(prefix="plumbline-conform-") as name:
        # Resolved, because Docker on macOS can't mount what lies behind a symbolic link.
        folder = Path(name).resolve()
        folder.chmod(0o755)
        try:
            bench = Workbench(client, image_of(client, order.image), order, folder)
            try:
                yield bench
            finally:
                bench.clear()
        finally:
            client.close()


def connected() -> Any:
    """A client of the engine that the environment names. Raises `CommandError`."""
    try:
        import docker
    except ImportError as exc:
        raise CommandError(
            "plumbline conform starts containers by Docker's SDK for Python, which is not "
            f"installed here: {installing('docker')}"
        ) from exc
    try:
        return docker.from_env(timeout=120)
    except (docker.errors.DockerException, OSError) as exc:
        raise CommandError(
            f"No Docker engine answers: {exc}. Start it, or name another in DOCKER_HOST; "
            "`docker version` says more."
        ) from exc


def image_of(client: Any, name: str) -> Any:
    """The image. Raises `CommandError` if the engine has none of that name."""
    import docker

    try:
        return client.images.get(name)
    except docker.errors.ImageNotFound as exc:
        raise CommandError(
            f"There is no image {name} on this engine: docker pull {name} fetches it, "
            f"docker build --tag {name} . makes it."
        ) from exc
    except docker.errors.APIError as exc:
        raise CommandError(f"{name} can't be an image: {exc.explanation}") from exc
