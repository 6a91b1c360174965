"""TensorFlow Serving's REST API: a model's status, its metadata, and predict, classify, regress.

Paths, answers and errors are those of TensorFlow Serving, so that its clients find them here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, g, request

from plumbline.errors import InvalidAttribute
from plumbline.loading.model_registry import NAME, VERSION
from plumbline.web.error_answers import HTTPError
from plumbline.web.sagemaker_api import service
from plumbline.wire import responses
from plumbline.wire.request_options import METHOD

blueprint = Blueprint("tensorflow_serving", __name__)

MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,19})|/labels/(?P<label>[^/:]+))?"

Asked = Mapping[str, str | None]
"""What a path says: `name`, `version` (digits), `label`, and `method` of those that compute."""


def status(asked: Asked) -> Response:
    """Every version of the model, or the one that is asked."""
    options = options_of(asked)
    models = service().model.models().versions(options[NAME], options.get(VERSION))
    told = [
        {
            "version": str(model.version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for model in models
    ]
    return as_json({"model_version_status": told})


def metadata(asked: Asked) -> Response:
    """The model's signatures."""
    model = service().model.models().choose(options_of(asked))
    spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
    signatures = {"signature_def": {"signature_def": model.signature_defs()}}
    return as_json({"model_spec": spec, "metadata": signatures})


def compute(asked: Asked) -> Response:
    """What the model makes of the body, which is JSON whatever its type says."""
    options = {**options_of(asked), METHOD: asked["method"]}
    answer = service().invoke(options, responses.JSON, responses.JSON, handled=False)
    return Response(answer.body, content_type=answer.content_type)


ROUTES: tuple[tuple[str, re.Pattern[str], Callable[[Asked], Response]], ...] = (
    ("GET", re.compile(MODEL, re.IGNORECASE), status),
    ("GET", re.compile(f"{MODEL}/metadata", re.IGNORECASE), metadata),
    ("POST", re.compile(f"{MODEL}:(?P<method>predict|classify|regress)"), compute),
)
"""What is answered, by the method and the path."""


@blueprint.route("/v1/<path:_>", methods=["GET", "POST"])
def api(_: str) -> Response:
    """Whatever the path asks; what it can't ask is told as TensorFlow Serving tells it."""
    g.as_tensorflow = True
    for method, pattern, answer in ROUTES:
        if request.method == method and (found := pattern.fullmatch(request.path)):
            return answer(found.groupdict())
    raise HTTPError(f"Malformed request: {request.method} {request.path}", 400, "bad_request")


def options_of(asked: Asked) -> dict[str, Any]:
    """The model that a path names, as custom attributes name it. Raises `InvalidAttribute`."""
    if asked["label"] is not None:
        raise InvalidAttribute(f"Unrecognized servable version label: {asked['label']}")
    version = asked["version"]
    return (
        {NAME: asked["name"]} if version is None else {NAME: asked["name"], VERSION: int(version)}
    )


def as_json(document: Any) -> Response:
    """The document as an answer."""
    return Response(responses.to_json(document), content_type=responses.JSON)
