"""What stands on the lower rungs of the ladder: the server as shipped, parts of it replaced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask

from plumbline.engines.fake import FakeEngine
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import Say
from plumbline.loading.terms import Terms
from plumbline.pipeline.stages import Pipeline
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.task_table import fitted
from plumbline.web import wsgi
from plumbline.web.exchange import Answer, Exchange
from plumbline.web.metrics_api import TELLING
from plumbline.web.observation import NOBODY
from plumbline.web.sagemaker_api import Service


def fake(shared: str | None = None) -> Flask:
    """Everything but the model: a histogram stands for it."""

    def load(_root: Path, terms: Terms, _say: Say) -> Registry:
        engine, spec = FakeEngine(), ModelSpec()
        task = fitted(spec, None, engine.signature)
        pipeline = Pipeline(spec, engine, task, terms.limits, terms.max_instances)
        return Registry.of(replace(pipeline, max_parsed=terms.max_parsed))

    setattr(wsgi, "load_models", load)  # noqa: B010 - for the type checker
    return wsgi.application(shared)


def uncounted(shared: str | None = None) -> Flask:
    """The same, which counts none of its requests."""
    app = fake(shared)
    app.extensions[TELLING].observer = NOBODY
    return app


@dataclass(frozen=True)
class Bare(Service):
    """Reads a body and answers two bytes."""

    def invocations(self, asked: Exchange) -> Answer:
        """Answer."""
        asked.body(self.settings.max_body)
        return Answer.of(b"ok", "text/plain")


def bare(shared: str | None = None) -> Flask:
    """The worker, and next to nothing behind it."""
    app = fake(shared)
    app.extensions["plumbline"] = Bare(**vars(app.extensions["plumbline"]))
    return app
