"""TensorFlow Serving's REST API: a model's status, its metadata, and predict, classify, regress.

Paths, answers and errors are those of TensorFlow Serving, so that its clients find them here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from plumbline.errors import InvalidAttribute
from plumbline.loading.model_registry import NAME, VERSION
from plumbline.web.exchange import Answer, Exchange, HTTPError, as_json
from plumbline.web.sagemaker_api import Service
from plumbline.wire.request_options import METHOD
from plumbline.wire.responses import JSON

MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,19})|/labels/(?P<label>[^/:]+))?"

Asked = Mapping[str, str | None]
"""What a path says: `name`, `version` (digits), `label`, and `method` of those that compute."""


def status(service: Service, _: Exchange, asked: Asked) -> Answer:
    """Every version of the model, or the one that is asked."""
    options = options_of(asked)
    models = service.model.models().versions(options[NAME], options.get(VERSION))
    told = [
        {
            "version": str(model.version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for model in models
    ]
    return as_json({"model_version_status": told})


def metadata(service: Service, _: Exchange, asked: Asked) -> Answer:
    """The model's signatures."""
    model = service.model.models().choose(options_of(asked))
    spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
    signatures = {"signature_def": {"signature_def": model.signature_defs()}}
    return as_json({"model_spec": spec, "metadata": signatures})


def compute(service: Service, came: Exchange, asked: Asked) -> Answer:
    """What the model makes of the body, which is JSON whatever its type says."""
    options = {**options_of(asked), METHOD: asked["method"]}
    return service.invoke(came, options, JSON, JSON, handled=False)


ROUTES: tuple[tuple[str, re.Pattern[str], Callable[[Service, Exchange, Asked], Answer]], ...] = (
    ("GET", re.compile(MODEL, re.IGNORECASE), status),
    ("GET", re.compile(f"{MODEL}/metadata", re.IGNORECASE), metadata),
    ("POST", re.compile(f"{MODEL}:(?P<method>predict|classify|regress)"), compute),
)
"""What is answered, by the method and the path."""


def answer(service: Service, came: Exchange, _: str) -> Answer:
    """Whatever the path asks; what it can't ask is told as TensorFlow Serving tells it."""
    came.as_tensorflow = True
    for method, pattern, act in ROUTES:
        if came.method == method and (found := pattern.fullmatch(came.path)):
            return act(service, came, found.groupdict())
    raise HTTPError(f"Malformed request: {came.method} {came.path}", 400, "bad_request")


def options_of(asked: Asked) -> dict[str, Any]:
    """The model that a path names, as custom attributes name it. Raises `InvalidAttribute`."""
    if asked["label"] is not None:
        raise InvalidAttribute(f"Unrecognized servable version label: {asked['label']}")
    version = asked["version"]
    return (
        {NAME: asked["name"]} if version is None else {NAME: asked["name"], VERSION: int(version)}
    )
