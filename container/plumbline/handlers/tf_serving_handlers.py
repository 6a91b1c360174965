"""Handlers for SageMaker's TensorFlow Serving container: `handler`, or `input_handler` and
`output_handler`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from plumbline.archive.handler_errors import HandlerFailed
from plumbline.errors import PlumblineError
from plumbline.handlers.replaced_stages import Named, of_picture
from plumbline.handlers.return_values import answer, article
from plumbline.handlers.user_code import Stage, Stages
from plumbline.pipeline.sent_pictures import meant
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Timing
from plumbline.vision.arrays import Tensors
from plumbline.vision.geometry import Geometry
from plumbline.wire.request_options import METHOD, RAW
from plumbline.wire.requests import UNLIMITED, Pictures, Request, read
from plumbline.wire.responses import JSON, Response, to_json

if TYPE_CHECKING:
    import requests

ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"


class Context(NamedTuple):
    """What a handler is told of its request, by the names that TensorFlow Serving's has."""

    model_name: str
    model_version: str
    method: str
    rest_uri: str
    grpc_port: str
    channel: None
    """There is no gRPC here."""
    custom_attributes: str | None
    request_content_type: str
    accept_header: str
    content_length: int
    timeout: float
    """Seconds that the request has left."""


@dataclass(frozen=True)
class ServingHandler:
    """The handler; `rest` is where this server's TensorFlow Serving REST API is, on loopback."""

    stages: Stages
    rest: str = ""

    @property
    def incomparable(self) -> str:
        """Why golden pictures can't be compared with anything."""
        return "handler(data, context) computes answers by itself" * ("handler" in self.stages)

    @property
    def reads(self) -> bool:
        """It does read requests."""
        return True

    def answer(
        self, pipeline: Pipeline, model: Named, request: Request, timing: Timing
    ) -> Response:
        """The answer to a request. Errors are told as TensorFlow Serving tells them."""
        context = self.context(model, request, timing)
        try:
            if "handler" in self.stages:
                last = self.stages["handler"]
                returned = called(last, io.BytesIO(request.body), context, timing)
            else:
                body = self.served(request.body, context, timing)
                response = predicted(pipeline, body, context, timing)
                last = self.stages["output_handler"]
                returned = called(last, response, context, timing)
            return answer(returned, last.name, context.accept_header)
        except PlumblineError as exc:
            exc.as_tensorflow = True
            raise

    def context(self, model: Named, request: Request, timing: Timing) -> Context:
        """What the request is about."""
        chosen, headers, version = request.options, request.headers.items(), ""
        if "tfs-model-version" in chosen:
            version = f"/versions/{chosen['tfs-model-version']}"
        method = chosen.get(METHOD, "predict")
        return Context(
            model.name,
            str(model.version),
            method,
            f"{self.rest}/v1/models/{model.name}{version}:{method}",
            "",
            None,
            next((text for key, text in headers if key.lower() == ATTRIBUTES), None),
            request.content_type or JSON,
            request.accept or JSON,
            len(request.body),
            timing.left(),
        )

    def served(self, body: bytes, context: Context, timing: Timing) -> bytes:
        """The body of a request to TensorFlow Serving, as input_handler writes it."""
        stage = self.stages["input_handler"]
        return posted(called(stage, io.BytesIO(body), context, timing), stage.name)

    def alone(self, pipeline: Pipeline, picture: bytes, timing: Timing) -> tuple[Tensors, Geometry]:
        """The outputs for a golden picture that input_handler has read."""

        def served(content_type: str) -> bytes:
            return self.served(
                picture, self.context(Named(), Request(picture, content_type), timing), timing
            )

        body = of_picture(picture, served)
        payload = meant(read(Request(body, JSON)), pipeline.engine.signature, UNLIMITED)
        if isinstance(payload, Pictures):
            (item,) = payload.items
            return pipeline.alone(item if isinstance(item, bytes) else b"", timing.left)
        engine = pipeline.signed(payload.signature_name)
        return engine.run(payload.tensors(engine.signature), timing.left), Geometry.whole((1, 1))


def called(stage: Stage, data: Any, context: Context, timing: Timing) -> Any:
    """What one function returns."""
    with timing.watch.lap(stage.name):
        return stage(data, context, context=None)


def posted(body: Any, name: str) -> bytes:
    """What `requests.post(…, data=body)` would send; a dict as JSON. Raises `HandlerFailed`."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if isinstance(body, dict | list):
        return written(body, name)
    if hasattr(body, "read"):
        return posted(body.read(), name)
    if isinstance(body, Iterable) and not hasattr(body, "__array__"):
        return b"".join(posted(piece, name) for piece in body)
    raise HandlerFailed(
        f"{name} returned {article(body)}; it must return a request to TensorFlow Serving, as str "
        'or bytes: {"instances": …}.'
    )


def written(document: Any, name: str) -> bytes:
    """The document as JSON. Raises `HandlerFailed`."""
    try:
        return to_json(document)
    except TypeError as exc:
        raise HandlerFailed(f"{name} returned what JSON can't hold: {exc}.") from exc


def predicted(
    pipeline: Pipeline, body: bytes, context: Context, timing: Timing
) -> requests.Response:
    """TensorFlow Serving's answer to a body, without a socket.

    What it refuses is raised: output_handler is not asked, as in SageMaker's container.
    """
    request = Request(body, JSON, JSON, {METHOD: context.method, "format": RAW})
    return response(pipeline(request, timing.left, timing.watch), context.rest_uri)


def response(said: Response, url: str) -> requests.Response:
    """The answer as `requests` would give it."""
    import requests

    made = requests.Response()
    made.status_code, made.url, made.encoding = HTTPStatus.OK, url, "utf-8"
    made.reason = HTTPStatus.OK.phrase
    made.raw = io.BytesIO(said.body)
    made.headers["Content-Type"] = said.content_type
    made.headers["Content-Length"] = str(len(said.body))
    return made
