"""SageMaker's contract for multi-model endpoints: models are loaded, listed, asked and unloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from flask import Blueprint, Response, current_app, g, request
from werkzeug.routing import BaseConverter

from plumbline.handlers.return_values import ANY
from plumbline.hosting import memory_policy
from plumbline.hosting.errors import InvalidLoad, ModelNotNamed
from plumbline.hosting.fork_client import Nursery
from plumbline.hosting.hosted_models import Hosts
from plumbline.hosting.memory_estimates import PACKED
from plumbline.hosting.memory_ledger import Ledger
from plumbline.hosting.messages import Asked
from plumbline.hosting.model_launch import Means
from plumbline.hosting.running_model import GRACE
from plumbline.machine import cgroups
from plumbline.machine.allocator import tidied_after
from plumbline.machine.sizing import MEMORY_PER_PICTURE, MOST_CHANGES, Sizes
from plumbline.pipeline.admission import Admission, Deadline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.settings.server_settings import Settings
from plumbline.vision.images import Limits, pixels_in
from plumbline.web.request_bodies import gone, headers_of, read_body
from plumbline.web.sagemaker_api import CUSTOM_ATTRIBUTES, weight
from plumbline.wire import responses
from plumbline.wire.request_options import is_tensorflows, read_options
from plumbline.wire.requests import Request

ANSWERED = (
    "GET /ping, GET and POST /models, GET and DELETE /models/<name> and POST /models/<name>/invoke"
)

TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"
"""The archive's own name, as the caller wrote it: for the log."""

MOST_OF_LOAD = 64 * 1024
"""Bytes of a body that asks for a model to be loaded."""

MOST_LISTED = 100
"""Models on a page of the list, where nothing else is asked for."""

LONGEST_NAME = 4000
"""Characters of a name in an address: gunicorn takes lines of 4,094."""

KEYS = ("model_name", "url")
"""What names a model that is to be loaded, and its folder."""

BYTES_PER_PIXEL = MEMORY_PER_PICTURE / Limits.pixels
"""What a picture takes while it is decoded and resized."""

blueprint = Blueprint("multi_model", __name__)


class ModelName(BaseConverter):
    """A model's name in an address: anything at all, slashes included."""

    regex = "(?s:.+?)"
    part_isolating = False


@dataclass(frozen=True)
class ManyModels:
    """What the endpoints hand on to."""

    hosts: Hosts
    admission: Admission
    loads: Admission
    unloads: Admission
    settings: Settings
    reserve: int
    """Bytes that are kept free for requests."""

    def invoke(self, name: str) -> responses.Response:
        """A place, the body, the model, a slot, the model's own process.

        From when its body is there, the model is not unloaded before it is answered.
        """
        deadline = Deadline(self.settings.deadline, gone=gone(request))
        options = read_options(request.headers.get(CUSTOM_ATTRIBUTES, ""))
        g.model = name
        g.as_tensorflow = is_tensorflows(options)
        g.noted = {"target": request.headers.get(TARGET_MODEL)}
        self.hosts.demand(name)
        with self.admission.place(deadline), tidied_after(request.content_length):
            body = read_body(request, self.settings.max_body, deadline)
            headers = headers_of(request)
            kind, accept = headers.get("Content-Type", ""), headers.get("Accept", "")
            if accept in ANY:
                accept = self.settings.default_accept or accept
            asked = Request(body, kind, accept, options, headers=headers)
            slots = self.slots_for(asked)
            with self.hosts.entered(name) as ask, self.admission.slot(deadline, g.watch, slots):
                answered = ask(Asked(asked, g.id, deadline.remaining()))
        g.watch.laps.update(answered.laps)
        return answered.response

    def slots_for(self, asked: Request) -> int:
        """The slots that a request takes: more for large bodies, and for many pixels."""
        size = int(BYTES_PER_PIXEL * pixels_in(asked.body, self.settings.limits))
        slots = self.admission.load.slots
        return max(weight(asked), memory_policy.slots_for(size, slots, self.reserve))

    def load(self, name: str, url: str) -> None:
        """Load a model when it is its turn."""
        deadline = Deadline(self.settings.load_seconds)
        with self.loads.place(deadline), self.loads.slot(deadline, Stopwatch()):
            self.hosts.load(name, url)

    def unload(self, name: str) -> None:
        """Unload a model, beside few others."""
        with self.unloads.place(Deadline(self.settings.deadline)):
            self.hosts.unload(name)


def many_models(chosen: Settings, sizes: Sizes, loader: str, shared: Path | None) -> ManyModels:
    """The service for a machine, without a model.

    `loader` is the `module:function` that loads one, `shared` a folder for temporary files.
    """
    nursery = Nursery(loader)
    nursery.prepare(PACKED)
    limit = cgroups.memory().limit
    reserve = memory_policy.reserve(limit, sizes.slots, MEMORY_PER_PICTURE)
    means = Means(
        nursery,
        Ledger(cgroups.memory, reserve),
        engine=chosen.engine,
        load_seconds=chosen.load_seconds,
        folder=shared,
        drain=chosen.deadline + GRACE,
        passing=reserve // sizes.slots,
    )
    at_once = max(2, sizes.cores)
    return ManyModels(
        Hosts(means),
        Admission(sizes.slots, sizes.queue),
        Admission(at_once, max(0, MOST_CHANGES - at_once)),
        Admission(MOST_CHANGES, 0),
        chosen,
        reserve,
    )


def service() -> ManyModels:
    """The service of the current app."""
    found: ManyModels = current_app.extensions["plumbline"]
    return found


def answer(document: Any) -> Response:
    """The document as JSON."""
    return Response(responses.to_json(document), content_type=responses.JSON)


@blueprint.get("/ping")
def ping() -> Response:
    """200 at once: models come later, and each says for itself whether it can answer."""
    return Response(status=200)


@blueprint.post("/invocations")
def invocations() -> Response:
    """Nobody knows which of the models is meant."""
    raise ModelNotNamed(
        "This endpoint has many models, and the request names none; send it to "
        "/models/<name>/invoke (TargetModel, where SageMaker is asked)."
    )


@blueprint.post("/models")
def load() -> Response:
    """Load a model; answered when it is there."""
    name, url = read_load()
    g.model = name
    service().load(name, url)
    return answer({"status": f"Successfully loaded model {name}."})


@blueprint.get("/models")
def listed() -> Response:
    """A page of the models that are loaded."""
    limit = request.args.get("limit", str(MOST_LISTED))
    if not (limit.isdecimal() and 0 < int(limit) <= 10_000):
        raise InvalidLoad(f"limit={limit}: it must be a whole number from 1 to 10000.")
    after = request.args.get("next_page_token", request.args.get("nextPageToken", ""))
    models, more = service().hosts.listed(after, int(limit))
    return answer({"models": models, **({"nextPageToken": more} if more else {})})


@blueprint.get("/models/<model:name>")
def described(name: str) -> Response:
    """What is known of a loaded model."""
    return answer(service().hosts.describe(name))


@blueprint.delete("/models/<model:name>")
def unload(name: str) -> Response:
    """Unload a model; answered when its memory is free."""
    g.model = name
    service().unload(name)
    return answer({"status": f"Model {name} is unloaded."})


@blueprint.post("/models/<model:name>/invoke")
def invoke(name: str) -> Response:
    """A picture or tensors in, predictions of that model out."""
    found = service().invoke(name)
    return Response(found.body, content_type=found.content_type)


def read_load() -> tuple[str, str]:
    """The name and the folder of the model to load. Raises `InvalidLoad`."""
    body = read_body(request, MOST_OF_LOAD, Deadline(service().settings.deadline))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    wanted = [document.get(key) if isinstance(document, dict) else None for key in KEYS]
    name, url = (text if isinstance(text, str) else "" for text in wanted)
    if not name or not url:
        raise InvalidLoad(
            'The body must be {"model_name": "<any name>", "url": "<the folder of the model>"}, '
            "both of them texts."
        )
    if len(quote(name, safe="")) > LONGEST_NAME:
        raise InvalidLoad(
            f"The name of the model is too long to be asked by: it may have {LONGEST_NAME:,} "
            "characters, as an address writes it."
        )
    return name, url
