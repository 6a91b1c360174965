"""The multi-model server as it is shipped, except that its models are small JSON files.

gunicorn calls `application`; its models' processes call `hosted_model`. A folder's `model.json`
says what the model does: `number` (it answers that plus a thousandth of what it is sent), `failure`
(why it does not load), `dies` (its exit status as it loads), `megabytes` that it takes, `pause`
(seconds that its load takes), `gate` (a file that its load waits for), `until` (one that dawdling
waits for). What it is sent may be an order, too: see `ORDERS`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import ArchiveError, ModelError
from plumbline.handlers.code_timeout import Cutoff
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import Say, ServedModel
from plumbline.loading.terms import Terms
from plumbline.machine import cgroups
from plumbline.machine.cgroups import Memory
from plumbline.pipeline.stages import Pipeline
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import make_task
from plumbline.vision.arrays import Tensors
from plumbline.web import model_service, wsgi

MEBIBYTE = 1024 * 1024

ORDERS: dict[float, Callable[[str], Any]] = {
    -1: lambda _: os._exit(9),
    -2: lambda _: time.sleep(3600),
    -3: lambda _: sys.exit(1),
    -4: lambda until: wait_for(Path(until)) if until else time.sleep(1),
    -5: lambda _: 1 / 0,
    -6: lambda _: LEAKED.append(b"x" * (5 * MEBIBYTE)),
}
"""What a model does where it is sent such a number: die, hang, exit, dawdle, fail, leak."""

LEAKED: list[bytes] = []


def application(megabytes: int = 0, shared: str | None = None) -> Flask:
    """The app of `plumbline.web.wsgi`, as if there were only so much memory (0: what there is)."""
    wsgi.LOADER = "many_app:hosted_model"
    if megabytes:
        cgroups.memory = lambda: Memory(megabytes * MEBIBYTE, used())
    return wsgi.application(shared)


def used() -> int:
    """Bytes that this process and those below it occupy, each its share of what they share."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(map(occupied, family))


def occupied(pid: int) -> int:
    """Bytes of one process."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * sum(map(int, re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)))


@dataclass(frozen=True)
class Adder:
    """Answers `[n, 1]` with `number` more than a thousandth of that."""

    number: float
    held: tuple[bytes, ...] = ()
    until: str = ""
    name: str = "adder"
    signature = Signature(
        (TensorSpec("x", (None, 1), "float32"),), (TensorSpec("y", (None, 1), "float32"),)
    )

    @property
    def others(self) -> Mapping[str, Engine]:
        """None."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """The sum, after what was ordered."""
        order = ORDERS.get(float(inputs["x"][0, 0]))
        if order is not None:
            order(self.until)
        return {"y": inputs["x"] / 1000 + self.number}


def hosted_model(order: Mapping[str, Any], cutoff: Cutoff) -> ServedModel:
    """What stands for `plumbline.web.model_service.hosted_model`."""
    return model_service.hosted_model(order, cutoff, load)


def load(root: Path, terms: Terms, say: Say) -> Registry:
    """What stands for `plumbline.loading.loader.load_models`."""
    say("The model is loading.")
    file = root / "model.json"
    if not file.is_file():
        raise ArchiveError("There is no model.json.")
    said = json.loads(file.read_text())
    time.sleep(said.get("pause", 0))
    if "gate" in said:
        wait_for(Path(said["gate"]))
    if "failure" in said:
        raise ModelError(said["failure"])
    if "dies" in said:
        os._exit(said["dies"])
    held = tuple(grown(said.get("megabytes", 0)))
    engine, spec = Adder(said["number"], held, said.get("until", "")), ModelSpec(task="raw")
    task = make_task(spec, None)
    task.fit(engine.signature)
    return Registry.of(Pipeline(spec, engine, task, terms.limits, terms.max_instances))


def wait_for(file: Path) -> None:
    """Until it is there."""
    while not file.exists():
        time.sleep(0.02)


def grown(megabytes: int) -> list[bytes]:
    """So much memory, taken bit by bit."""
    pieces = []
    for _ in range(megabytes // 4):
        pieces.append(b"x" * (4 * MEBIBYTE))
        time.sleep(0.01)
    return pieces
