"""The containers that checks look at: started as each place wants it, and removed after it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline.conformance.order import Order
from plumbline.conformance.rules import Where
from plumbline.conformance.start import Start, watch
from plumbline.conformance.workbench import CannotStart, Workbench
from plumbline.emulator.serving_container import ServingContainer

READABLE = (0o644, 0o755)


@dataclass
class Scene:
    """What checks of one place share."""

    bench: Workbench
    server: ServingContainer | None = None
    start: Start | None = None
    problem: str = ""
    """Why there is nothing to look at, if so."""
    writable: bool = False
    """Whether the model had to be mounted so that it can be written to."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What one check has found out and another may use."""

    @property
    def order(self) -> Order:
        """What is asked of the run."""
        return self.bench.order

    @property
    def running(self) -> ServingContainer:
        """The container, where there is one."""
        if self.server is None:
            raise CannotStart(self.problem)
        return self.server

    @property
    def started(self) -> Start:
        """How it started."""
        if self.start is None:
            raise CannotStart(self.problem)
        return self.start

    @property
    def is_ready(self) -> bool:
        """Whether there is a server to be asked."""
        return self.start is not None and self.start.ready is not None


@contextmanager
def plain(bench: Workbench) -> Iterator[Scene]:
    """Nothing is started here."""
    yield Scene(bench)


@contextmanager
def first(bench: Workbench) -> Iterator[Scene]:
    """The container that most checks look at; if need be with a model that can be written to."""
    order = bench.order
    try:
        with bench.serve() as server:
            start = watch(server, order.starts_within, order.sample)
            if start.ready is not None or order.model is None or not wants_to_write(start, server):
                yield Scene(bench, server, start)
                return
            ended = Scene(bench, None, start, start.in_words(server))
        with bench.serve(copy(order.model, bench.empty()), mode="rw") as server:
            start = watch(server, order.starts_within, order.sample)
            if start.ready is not None:
                yield Scene(bench, server, start, writable=True)
                return
        yield ended
    except CannotStart as error:
        yield Scene(bench, problem=error.message)


def wants_to_write(start: Start, server: ServingContainer) -> bool:
    """Whether a start may have failed because the model is read-only."""
    return start.status is not None or "Read-only file system" in server.log()


@contextmanager
def broken(bench: Workbench) -> Iterator[Scene]:
    """A container with the model's files cut in half."""
    model = copy(bench.order.model, bench.empty()) if bench.order.model else None
    for file in model.rglob("*") if model else ():
        if file.is_file():
            data = file.read_bytes()
            file.write_bytes(data[: len(data) // 2])
    if model is None:
        yield Scene(bench, problem="without --model there is none to break")
        return
    with bench.serve(model) as server:
        yield Scene(bench, server)


@contextmanager
def loading(bench: Workbench) -> Iterator[Scene]:
    """A container that has just been started."""
    with bench.serve() as server:
        yield Scene(bench, server)


@contextmanager
def batch(bench: Workbench) -> Iterator[Scene]:
    """A container of a batch transform."""
    variables = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1",
    }
    with bench.serve(environment=variables) as server:
        yield Scene(bench, server, watch(server, bench.order.starts_within))


HOSTED = "/opt/ml/models"


@contextmanager
def multi_model(bench: Workbench) -> Iterator[Scene]:
    """A container for many models, with places of a good one and of a broken one."""
    if bench.order.model is None:
        yield Scene(bench, problem="without --model there is none to load")
        return
    with bench.serve(**hosting(bench, 2)) as server:
        yield Scene(bench, server, watch(server, bench.order.starts_within))


def hosting(bench: Workbench, count: int) -> dict[str, Any]:
    """The options of a container with the model in so many places, called 0, 1, 2, …"""
    mounts = [f"{bench.model}:{HOSTED}/{number}/model:ro" for number in range(count)]
    bad = bench.empty()
    (bad / "saved_model.pb").write_bytes(b"no model")
    (bad / "saved_model.pb").chmod(0o644)
    return {
        "model": bench.empty(),
        "place": "/opt/ml/model",
        "environment": {"SAGEMAKER_MULTI_MODEL": "true"},
        "volumes": [*mounts, f"{bad}:{HOSTED}/bad/model:ro"],
    }


def copy(folder: Path, target: Path) -> Path:
    """A copy of a model, which any user may read."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    for path in (target, *target.rglob("*")):
        path.chmod(READABLE[path.is_dir()])
    return target


SCENES: dict[Where, Callable[[Workbench], AbstractContextManager[Scene]]] = {
    Where.IMAGE: plain,
    Where.FIRST: first,
    Where.RESTRICTED: plain,
    Where.BROKEN: broken,
    Where.LOADING: loading,
    Where.BATCH: batch,
    Where.MULTI_MODEL: multi_model,
    Where.TRAINING: plain,
}
"""What is looked at last is the first container, too."""
