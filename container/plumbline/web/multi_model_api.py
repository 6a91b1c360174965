"""SageMaker's contract for multi-model endpoints: models are loaded, listed, asked and unloaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import orjson
from flask import request

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
from plumbline.logs import OF_REQUEST
from plumbline.machine import cgroups
from plumbline.machine.allocator import tidied_after
from plumbline.machine.sizing import MEMORY_PER_PICTURE, MOST_CHANGES, Sizes
from plumbline.pipeline.admission import Admission, Deadline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.settings.server_settings import Settings
from plumbline.vision.images import Limits, pixels_in
from plumbline.web.exchange import Answer, Exchange, as_json
from plumbline.web.sagemaker_api import CUSTOM_ATTRIBUTES, HEALTHY, weight
from plumbline.wire.request_options import is_tensorflows, read_options
from plumbline.wire.requests import Request

ANSWERED = (
    "GET /ping and /metrics, GET and POST /models, GET and DELETE /models/<name>, POST "
    "/models/<name>/invoke and GET /openapi.json"
)

TARGET_MODEL = "X-Amzn-Sagemaker-Target-Model"
"""The archive's own name, as the caller wrote it: for the log."""

MOST_OF_LOAD = 64 * 1024
"""Bytes of a body that asks for a model to be loaded."""

MOST_LISTED = 100
"""Models on a page of the list, where nothing else is asked for."""

LONGEST_NAME = 4000
"""Characters of a name in an address."""

KEYS = ("model_name", "url")
"""What names a model that is to be loaded, and its folder."""

BYTES_PER_PIXEL = MEMORY_PER_PICTURE / Limits.pixels
"""What a picture takes while it is decoded and resized."""

PLAIN_INVOKE = re.compile("/models/([!-~]+)/invoke")
"""The path that asks a model, where nothing in it stands for something else."""


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

    is_quick = False
    """Models are in processes of their own: they answer when they do."""

    def direct(self, method: str, target: str) -> Callable[[Exchange], Answer] | None:
        """What answers a request that need not take the way through Flask."""
        if method == "GET":
            return self.ping if target == "/ping" else None
        found = PLAIN_INVOKE.fullmatch(target) if method == "POST" else None
        return partial(self.invoke, name=found[1]) if found and not {*"%?#"} & {*target} else None

    def ping(self, _: Exchange) -> Answer:
        """200 at once: models come later, and each says for itself whether it can answer."""
        return HEALTHY

    def invocations(self, _: Exchange) -> Answer:
        """Nobody knows which of the models is meant."""
        raise ModelNotNamed(
            "This endpoint has many models, and the request names none; send it to "
            "/models/<name>/invoke (TargetModel, where SageMaker is asked)."
        )

    def invoke(self, came: Exchange, name: str) -> Answer:
        """A place, the body, the model, a slot, the model's own process.

        From when its body is there, the model is not unloaded before it is answered.
        """
        deadline = Deadline(self.settings.deadline, gone=came.gone)
        options = read_options(came.headers.get(CUSTOM_ATTRIBUTES, ""))
        came.model = name
        came.as_tensorflow = is_tensorflows(options)
        came.noted = {"target": came.headers.get(TARGET_MODEL)}
        self.hosts.demand(name)
        most = came.most_bytes(self.settings.max_body)
        with self.admission.place(deadline, most), tidied_after(came.length):
            body = came.body(self.settings.max_body)
            headers = came.body_headers()
            kind, accept = headers.get("Content-Type", ""), headers.get("Accept", "")
            if accept in ANY:
                accept = self.settings.default_accept or accept
            asked = Request(body, kind, accept, options, headers=headers)
            slots = self.slots_for(asked)
            with self.hosts.entered(name) as ask, self.admission.slot(deadline, came.watch, slots):
                answered = ask(Asked(asked, came.id, deadline.remaining(), OF_REQUEST.get()))
        came.watch.laps.update(answered.laps)
        came.watch.answered, came.watch.refused = answered.pictures
        return Answer.of(answered.response.body, answered.response.content_type)

    def slots_for(self, asked: Request) -> int:
        """The slots that a request takes: more for large bodies, and for many pixels."""
        size = int(BYTES_PER_PIXEL * pixels_in(asked.body, self.settings.limits))
        slots = self.admission.load.slots
        return max(weight(asked), memory_policy.slots_for(size, slots, self.reserve))

    def load(self, came: Exchange) -> Answer:
        """Load a model when it is its turn; answered when it is there."""
        came.model, url = named_in(came.body(MOST_OF_LOAD))
        deadline = Deadline(self.settings.load_seconds)
        with self.loads.place(deadline), self.loads.slot(deadline, Stopwatch()):
            self.hosts.load(came.model, url)
        return as_json({"status": f"Successfully loaded model {came.model}."})

    def listed(self, _: Exchange) -> Answer:
        """A page of the models that are loaded."""
        limit = request.args.get("limit", str(MOST_LISTED))
        if not (limit.isdecimal() and 0 < int(limit) <= 10_000):
            raise InvalidLoad(f"limit={limit}: it must be a whole number from 1 to 10000.")
        after = request.args.get("next_page_token", request.args.get("nextPageToken", ""))
        models, more = self.hosts.listed(after, int(limit))
        return as_json({"models": models, **({"nextPageToken": more} if more else {})})

    def described(self, _: Exchange, name: str) -> Answer:
        """What is known of a loaded model."""
        return as_json(self.hosts.describe(name))

    def unload(self, came: Exchange, name: str) -> Answer:
        """Unload a model, beside few others; answered when its memory is free."""
        came.model = name
        with self.unloads.place(Deadline(self.settings.deadline)):
            self.hosts.unload(name)
        return as_json({"status": f"Model {name} is unloaded."})


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
        Admission(sizes.slots, sizes.queue, sizes.bodies),
        Admission(at_once, max(0, MOST_CHANGES - at_once)),
        Admission(MOST_CHANGES, 0),
        chosen,
        reserve,
    )


def named_in(body: bytes) -> tuple[str, str]:
    """The name and the folder of the model to load. Raises `InvalidLoad`."""
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
