"""An app over the fake engine, and what every error body must be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from plumbline.engines.base import Engine
from plumbline.engines.fake import FakeEngine
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.pipeline.stages import Pipeline
from plumbline.settings.server_settings import Settings
from plumbline.spec.model_spec import ModelSpec, Preprocess
from plumbline.tasks.task_table import fitted
from plumbline.web.app import create_app

PROJECT = str(Path(__file__).parents[2])


@dataclass
class Served:
    """Everything behind one app, each part to be exchanged by a test before `client`."""

    settings: Settings = field(default_factory=Settings)
    admission: Admission = field(default_factory=lambda: Admission(2, 4))
    engine: Engine = field(default_factory=FakeEngine)
    spec: ModelSpec = field(default_factory=ModelSpec)
    preprocess: Preprocess = field(default_factory=lambda: Preprocess(normalize="unit"))
    labels: tuple[str, ...] | None = None

    def pipeline(self, say: Callable[[str], None]) -> Pipeline:
        """The pipeline, as if it had been loaded."""
        spec = replace(self.spec, preprocess=self.preprocess)
        task = fitted(spec, self.labels, self.engine.signature)
        return Pipeline(spec, self.engine, task, self.settings.limits, self.settings.max_instances)

    def models(self, say: Callable[[str], None]) -> Registry:
        """The pipeline as the only model."""
        return Registry.of(self.pipeline(say))

    def client(self) -> FlaskClient:
        """A client of an app whose model is ready."""
        model = ServedModel(self.models)
        model.load(on_failure=lambda: pytest.fail("the fake pipeline did not load"))
        return create_app(model, self.admission, self.settings).test_client()


Serve = Callable[..., FlaskClient]
Refused = Callable[..., str]
Pack = Callable[..., bytes]


def message_of(response: TestResponse, code: str | None) -> str:
    """The message of an error body that gives nothing away and arrives whole.

    Without a code it is an error as TensorFlow Serving tells it.
    """
    assert response.content_type == "application/json"
    assert len(response.data) < 2048
    document = json.loads(response.data)
    assert list(document) == ["error"]
    return discreet(document["error"] if code is None else told(document["error"], code))


def told(error: object, code: str) -> object:
    """The message of an error that has a code."""
    assert isinstance(error, dict)
    assert sorted(error) == ["code", "message"]
    assert error["code"] == code
    return error["message"]


def discreet(message: object) -> str:
    """The message, which holds nothing of the server's own."""
    assert isinstance(message, str)
    for secret in ("Traceback", PROJECT, ".py", "/opt/ml", "site-packages", " at 0x"):
        assert secret not in message
    return message
