"""SageMaker's container contract: `/ping`, `/invocations` and `/execution-parameters`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plumbline.engines.base import is_quick
from plumbline.errors import ModelNotReady
from plumbline.loading.served_model import ServedModel
from plumbline.machine.allocator import LARGE, tidied_after
from plumbline.machine.sizing import SLOTS_PER_CORE
from plumbline.pipeline.admission import Admission, Deadline
from plumbline.settings.server_settings import Settings
from plumbline.settings.variable_values import MEBIBYTE
from plumbline.web.exchange import Answer, Exchange, as_json
from plumbline.wire.request_options import is_tensorflows, read_options
from plumbline.wire.requests import Pictures, Request

CUSTOM_ATTRIBUTES = "X-Amzn-Sagemaker-Custom-Attributes"

ANSWERED = (
    "GET /ping and /metrics, POST /invocations, GET /execution-parameters, GET /about, GET "
    "/openapi.json and TensorFlow Serving's REST API under /v1/models/"
)

MOST_PAYLOAD = 100
"""Megabytes of all payloads of a batch transform together: SageMaker's own limit."""

LEAST_PAYLOAD = 6
"""Megabytes of one, as many as where nothing is said: a photograph must fit in."""

HEALTHY = Answer.of(b"", "text/html; charset=utf-8")
"""What a ping is answered."""


@dataclass(frozen=True)
class Service:
    """What the endpoints hand on to."""

    model: ServedModel
    admission: Admission
    settings: Settings
    concurrent: int
    """Requests that all processes together compute at a time."""

    def direct(self, method: str, target: str) -> Callable[[Exchange], Answer] | None:
        """What answers a request that need not take the way through Flask."""
        if target == "/invocations" and method == "POST":
            return self.invocations
        return self.ping if target == "/ping" and method == "GET" else None

    @property
    def is_quick(self) -> bool:
        """Whether a picture is answered in milliseconds, without waiting for anybody."""
        models = self.model.status.models
        if models is None or len(models.models) > 1:
            return False
        pipeline = models.default.pipeline
        return self.admission.is_idle and is_quick(pipeline.engine) and pipeline is pipeline.bare

    def ping(self, _: Exchange) -> Answer:
        """200 and nothing else once the model can answer; 503 and the reason before."""
        status = self.model.status
        if status.state != "ready":
            raise ModelNotReady(status.reason)
        return HEALTHY

    def invocations(self, asked: Exchange) -> Answer:
        """A picture or tensors in, predictions out."""
        options = read_options(asked.headers.get(CUSTOM_ATTRIBUTES, ""))
        accept, default = asked.headers.get("Accept", ""), self.settings.default_accept
        accept = (default or accept) if accept in ("", "*/*") else accept
        return self.invoke(asked, options, asked.headers.get("Content-Type", ""), accept)

    def execution_parameters(self, _: Exchange) -> Answer:
        """What batch transform may send at once; SageMaker takes at most 100 MB of all together."""
        largest = self.settings.max_body // MEBIBYTE
        concurrent = min(self.concurrent, MOST_PAYLOAD // min(LEAST_PAYLOAD, largest))
        parameters = {
            "MaxConcurrentTransforms": concurrent,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": min(largest, MOST_PAYLOAD // concurrent),
        }
        return as_json(parameters)

    def invoke(
        self,
        came: Exchange,
        options: Mapping[str, Any],
        content_type: str,
        accept: str,
        *,
        handled: bool = True,
    ) -> Answer:
        """The model that is asked, a place, the body, its links, a slot, the pipeline.

        A user's handler is a part of that, unless it is what is asking.
        """
        deadline = Deadline(self.settings.deadline, gone=came.gone)
        came.as_tensorflow = is_tensorflows(options)
        model = self.model.models().choose(options)
        pipeline = model.pipeline if handled else model.pipeline.bare
        came.model = str(model)
        headers = {} if pipeline is pipeline.bare else came.body_headers()
        most = came.most_bytes(self.settings.max_body)
        with self.admission.place(deadline, most), tidied_after(came.length):
            body = came.body(self.settings.max_body)
            asked = Request(body, content_type, accept, options, headers=headers)
            asked = pipeline.with_pictures(asked, deadline.remaining, came.watch)
            with self.admission.slot(deadline, came.watch, weight(asked)):
                found = pipeline(asked, deadline.remaining, came.watch)
        return Answer.of(found.body, found.content_type)


def weight(asked: Request) -> int:
    """The slots that a request takes: a large picture as many as a core has."""
    fetched = asked.payload.items if isinstance(asked.payload, Pictures) else ()
    size = len(asked.body) + sum(len(item) for item in fetched if isinstance(item, bytes))
    return SLOTS_PER_CORE if size >= LARGE else 1
