"""SageMaker's container contract: `GET /ping` and `POST /invocations`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, g, request

from plumbline import responses
from plumbline.admission import Admission, Deadline
from plumbline.allocator import tidied_after
from plumbline.errors import ModelNotReady
from plumbline.loading import ServedModel
from plumbline.requests import Request, read_options
from plumbline.settings import Settings
from plumbline.web.bodies import read_body

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

blueprint = Blueprint("sagemaker", __name__)


@dataclass(frozen=True)
class Service:
    """What the endpoints hand on to."""

    model: ServedModel
    admission: Admission
    settings: Settings

    def invoke(self) -> responses.Response:
        """The model that is asked, a place, the body, a slot, the pipeline."""
        deadline = Deadline(self.settings.deadline)
        models = self.model.models()
        options = read_options(request.headers.get(CUSTOM_ATTRIBUTES, ""))
        model = models.choose(options)
        g.model = str(model)
        with self.admission.place(), tidied_after(request.content_length):
            asked = read_request(options, self.settings.max_body, deadline)
            with self.admission.slot(deadline, g.watch):
                return model.pipeline(asked, deadline.remaining, g.watch)


def service() -> Service:
    """The service of the current app."""
    found: Service = current_app.extensions["plumbline"]
    return found


def read_request(options: Mapping[str, Any], max_body: int, deadline: Deadline) -> Request:
    """The HTTP request in the house's own words."""
    return Request(
        body=read_body(request, max_body, deadline),
        content_type=request.headers.get("Content-Type", ""),
        accept=request.headers.get("Accept", ""),
        options=options,
    )


@blueprint.get("/ping")
def ping() -> Response:
    """200 and nothing else once the model can answer; 503 and the reason before."""
    status = service().model.status
    if status.state != "ready":
        raise ModelNotReady(status.reason)
    return Response(status=200)


@blueprint.post("/invocations")
def invocations() -> Response:
    """A picture or tensors in, predictions out."""
    answer = service().invoke()
    return Response(answer.body, content_type=answer.content_type)
