"""The server as it is shipped, except that a fake model stands where TensorFlow would load one.

gunicorn calls `application` with what its command line says: `fake_app:application(delay=0.5)`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partialmethod
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
from plumbline.web import (
    connection,
    exchange,
    gunicorn_worker,
    metrics_api,
    open_connections,
    quick_requests,
    worker_succession,
    wsgi,
)


def application(
    delay: float = 0.0,
    loads_after: str = "",
    failure: str = "",
    dies: str = "",
    shared: str | None = None,
    handled: bool = False,
    *,
    together: bool = False,
    breaks: bool = False,
    minute: float = 0.0,
    memory: int = 0,
    boots_after: str = "",
    answers_after: str = "",
    patience: float = 0.0,
    most: int = 0,
    unsendable: bool = False,
    quick: float = 0.0,
) -> Flask:
    """The app of `plumbline.web.wsgi`.

    Its model takes `delay` seconds for a picture, answers none before the file `answers_after` is
    there, is loaded once the file `loads_after` is there, and fails to load, with that message,
    where there is a `failure`; its process `dies` of that signal instead. With `handled` the
    archive is loaded as ever, and only the engine is a fake. `memory` is all that the machine says
    to have. With `breaks` the model fails on every picture. With `together` the workers share the
    server's own folder, as they do without this app. A worker has not booted before the file
    `boots_after` is there. With `patience` the rest of a header may take so many seconds, and so
    may a client after its answer or in front of it. `most` is how many connections the worker
    takes, where those that stall give way sooner. With `unsendable` no prediction
    can be written as HTTP. With `quick` the engine says of itself that it is, and so
    many seconds are not too long.
    """
    quick_requests.LONG_SECONDS = quick or quick_requests.LONG_SECONDS
    if unsendable:
        written = exchange.Answer.encoded
        exchange.Answer.encoded = partialmethod(unless_a_prediction, written)
    be_impatient(patience, most)
    if together and worker_succession.NOTES.folder:
        shared = str(worker_succession.NOTES.folder.parent)
    while boots_after and not Path(boots_after).exists():
        time.sleep(0.05)
    if minute:
        metrics_api.EVERY_SECONDS = minute
    if memory:
        wsgi.cgroups.machine = lambda: Machine(1.0, memory)
    if handled:
        engines = {"code": AbsentEngine()}
        loading.load_engine = lambda model, *_: engines.get(model.kind, FakeEngine(delay=delay))
    else:
        engine = Gated(delay=delay, gate=answers_after, breaks=breaks, is_quick=bool(quick))
        wsgi.load_models = loader(engine, loads_after, failure, dies)
    return wsgi.application(shared)


def be_impatient(patience: float, most: int) -> None:
    """Wait and take less, where these are given."""
    if patience:
        connection.HEADER_SECONDS = connection.LINGER_SECONDS = patience
        connection.WRITE_SECONDS = patience
    if most:
        gunicorn_worker.MOST_CONNECTIONS, open_connections.STALLED_SECONDS = most, 0.2


def unless_a_prediction(
    answer: exchange.Answer, written: Callable[..., bytes], *, is_last: bool
) -> bytes:
    """The answer as HTTP."""
    if answer.body.startswith(b'{"predictions"'):
        raise ValueError("This can't be sent.")
    return written(answer, is_last=is_last)


@dataclass(frozen=True)
class Gated(FakeEngine):
    """Answers once the file `gate` is there, if one is named."""

    gate: str = ""
    breaks: bool = False
    is_quick: bool = False

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """What the fake engine answers."""
        while self.gate and not Path(self.gate).exists():
            time.sleep(0.02)
        if self.breaks:
            raise EngineError("The model is broken.")
        return super().run(inputs, left)


def loader(
    engine: FakeEngine, loads_after: str, failure: str, dies: str
) -> Callable[..., Registry]:
    """What stands for `plumbline.loading.loader.load_models`."""

    def load(root: Path, terms: Terms, say: Say) -> Registry:
        say("The model fake is loading.")
        while loads_after and not Path(loads_after).exists():
            time.sleep(0.05)
        if dies:
            os.kill(os.getpid(), signal.Signals[dies])
            threading.Event().wait()
        if failure:
            raise EngineError(failure)
        spec = ModelSpec()
        task = make_task(spec, None)
        task.fit(engine.signature)
        pipeline = Pipeline(spec, engine, task, terms.limits, terms.max_instances)
        return Registry.of(replace(pipeline, max_parsed=terms.max_parsed))

    return load
