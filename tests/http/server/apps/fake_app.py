"""The server as it is shipped, except that a fake model stands where TensorFlow would load one.

gunicorn calls `application` with what its command line says: `fake_app:application(delay=0.5)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from plumbline.engines.absent import AbsentEngine
from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import TimeLeft
from plumbline.errors import EngineError
from plumbline.loading import loader as loading
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import Say
from plumbline.loading.terms import Terms
from plumbline.machine.cgroups import Machine
from plumbline.pipeline.stages import Pipeline
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import make_task
from plumbline.vision.arrays import Tensors
from plumbline.web import gunicorn_worker, wsgi


def application(
    delay: float = 0.0,
    loads_after: str = "",
    failure: str = "",
    shared: str | None = None,
    handled: bool = False,
    *,
    memory: int = 0,
    boots_after: str = "",
    answers_after: str = "",
    patience: float = 0.0,
) -> Flask:
    """The app of `plumbline.web.wsgi`.

    Its model takes `delay` seconds for a picture, answers none before the file `answers_after` is
    there, is loaded once the file `loads_after` is there, and fails to load, with that message,
    where there is a `failure`. With `handled` the archive is loaded as ever, and only the engine is
    a fake. `memory` is all that the machine says to have. A worker has not booted before the file
    `boots_after` is there. With `patience` the rest
    of a header may take so many seconds, and so may a client after its answer.
    """
    if patience:
        gunicorn_worker.HEADER_SECONDS = gunicorn_worker.LINGER_SECONDS = patience
    while boots_after and not Path(boots_after).exists():
        time.sleep(0.05)
    if memory:
        wsgi.cgroups.machine = lambda: Machine(1.0, memory)
    if handled:
        engines = {"code": AbsentEngine()}
        loading.load_engine = lambda model, *_: engines.get(model.kind, FakeEngine(delay=delay))
    else:
        engine = Gated(delay=delay, gate=answers_after)
        wsgi.load_models = loader(engine, loads_after, failure)
    return wsgi.application(shared)


@dataclass(frozen=True)
class Gated(FakeEngine):
    """Answers once the file `gate` is there, if one is named."""

    gate: str = ""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """What the fake engine answers."""
        while self.gate and not Path(self.gate).exists():
            time.sleep(0.02)
        return super().run(inputs, left)


def loader(engine: FakeEngine, loads_after: str, failure: str) -> Callable[..., Registry]:
    """What stands for `plumbline.loading.loader.load_models`."""

    def load(root: Path, terms: Terms, say: Say) -> Registry:
        say("The model fake is loading.")
        while loads_after and not Path(loads_after).exists():
            time.sleep(0.05)
        if failure:
            raise EngineError(failure)
        spec = ModelSpec()
        task = make_task(spec, None)
        task.fit(engine.signature)
        return Registry.of(Pipeline(spec, engine, task, terms.limits, terms.max_instances))

    return load
