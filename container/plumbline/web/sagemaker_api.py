"""SageMaker's container contract: `/ping`, `/invocations` and `/execution-parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, g, request
from flask.globals import request_ctx

from plumbline.errors import ModelNotReady
from plumbline.loading.served_model import ServedModel
from plumbline.machine.allocator import LARGE, tidied_after
from plumbline.machine.sizing import SLOTS_PER_CORE
from plumbline.pipeline.admission import Admission, Deadline
from plumbline.settings.server_settings import Settings
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.web.request_bodies import gone, headers_of, read_body
from plumbline.wire import responses
from plumbline.wire.request_options import is_tensorflows, read_options
from plumbline.wire.requests import Pictures, Request

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"

ANSWERED = (
    "GET /ping, POST /invocations, GET /execution-parameters and TensorFlow Serving's REST API "
    "under /v1/models/"
)

MOST_PAYLOAD = 100
"""Megabytes of all payloads of a batch transform together: SageMaker's own limit."""

LEAST_PAYLOAD = 6
"""Megabytes of one, as many as where nothing is said: a photograph must fit in."""

blueprint = Blueprint("sagemaker", __name__)


@dataclass(frozen=True)
class Service:
    """What the endpoints hand on to."""

    model: ServedModel
    admission: Admission
    settings: Settings
    concurrent: int
    """Requests that all processes together compute at a time."""

    def invoke(
        self, options: Mapping[str, Any], content_type: str, accept: str, *, handled: bool = True
    ) -> responses.Response:
        """The model that is asked, a place, the body, its links, a slot, the pipeline.

        A user's handler is a part of that, unless it is what is asking.
        """
        came = request_ctx.request  # each look through the proxy costs microseconds
        deadline = Deadline(self.settings.deadline, gone=gone(came))
        g.as_tensorflow = is_tensorflows(options)
        model = self.model.models().choose(options)
        pipeline = model.pipeline if handled else model.pipeline.bare
        g.model = str(model)
        headers = {} if pipeline is pipeline.bare else headers_of(came)
        watch = g.watch
        with self.admission.place(deadline), tidied_after(came.content_length):
            body = read_body(came, self.settings.max_body, deadline)
            asked = Request(body, content_type, accept, options, headers=headers)
            asked = pipeline.with_pictures(asked, deadline.remaining, watch)
            with self.admission.slot(deadline, watch, weight(asked)):
                return pipeline(asked, deadline.remaining, watch)


def service() -> Service:
    """The service of the current app."""
    found: Service = current_app.extensions["plumbline"]
    return found


def weight(asked: Request) -> int:
    """The slots that a request takes: a large picture as many as a core has."""
    fetched = asked.payload.items if isinstance(asked.payload, Pictures) else ()
    size = len(asked.body) + sum(len(item) for item in fetched if isinstance(item, bytes))
    return SLOTS_PER_CORE if size >= LARGE else 1


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
    headers, served = request.headers, service()
    options = read_options(headers.get(CUSTOM_ATTRIBUTES, ""))
    accept, default = headers.get("Accept", ""), served.settings.default_accept
    accept = (default or accept) if accept in ("", "*/*") else accept
    answer = served.invoke(options, headers.get("Content-Type", ""), accept)
    return Response(answer.body, content_type=answer.content_type)


@blueprint.get("/execution-parameters")
def execution_parameters() -> Response:
    """What batch transform may send at once; SageMaker takes at most 100 MB for all together."""
    largest = service().settings.max_body // MEBIBYTE
    concurrent = min(service().concurrent, MOST_PAYLOAD // min(LEAST_PAYLOAD, largest))
    parameters = {
        "MaxConcurrentTransforms": concurrent,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": min(largest, MOST_PAYLOAD // concurrent),
    }
    return Response(responses.to_json(parameters), content_type=responses.JSON)
