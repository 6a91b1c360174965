"""What gunicorn serves: called in each worker, after the fork, as TensorFlow needs it."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from flask import Flask

from plumbline.loading.loader import load_models
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import Say, ServedModel, nothing
from plumbline.loading.terms import terms_of
from plumbline.logs import Printed, told_already
from plumbline.machine import allocator, cgroups
from plumbline.machine.shared_counts import Counts, counts_of
from plumbline.pipeline.admission import Admission
from plumbline.settings import environment
from plumbline.settings.server_settings import Settings
from plumbline.telemetry.busiest import Busiest
from plumbline.telemetry.meter import FOLDER_VARIABLE, Meter
from plumbline.telemetry.spans import Spans
from plumbline.web import loopback_api, multi_model_api
from plumbline.web.app import create_app, create_multi_model_app, tell_of
from plumbline.web.drift_counts import counting
from plumbline.web.gunicorn_worker import CONNECTIONS, TENURE
from plumbline.web.metrics_api import (
    FOLDER,
    ManyArchives,
    OneArchive,
    Served,
    Telling,
    embedded_of,
)
from plumbline.web.observation import Observer
from plumbline.web.worker_retirement import Tenure
from plumbline.web.worker_succession import end_server, loading

log = logging.getLogger("plumbline.web")

LOADER = "plumbline.web.model_service:hosted_model"
"""What serves a model in a process of its own, where there are many."""

READY = "ready"
"""The file that is there once a process can answer."""

MOMENT = 0.01
"""Seconds between two looks for it."""


def application(shared: str | None = None) -> Flask:
    """The app for this process's environment, its model beginning to load.

    `shared` is a folder for what the workers of one server need to find out only once.
    """
    chosen = environment.from_environment()
    allocator.reuse_small_blocks_only()
    logging.captureWarnings(capture=True)  # Pillow's, about odd pictures: as lines like all others
    sizes = chosen.sizes(cgroups.machine())
    folder = Path(shared) if shared else None
    connections = counts_of("connections", folder)
    meter = meter_of(chosen, folder, connections.seat)
    if chosen.multi_model:
        many = multi_model_api.many_models(chosen, sizes, LOADER, folder)
        app = create_multi_model_app(many)
        busiest = Busiest(chosen.metrics_models) if chosen.metrics_models else None
        served = ManyArchives(many.hosts, many.admission, busiest)
        return counted(app, telling_of(chosen, meter, served), connections)
    terms = replace(
        terms_of(chosen, sizes),
        shared=folder,
        observe=meter.batch,
        tallied=partial(counting, meter),
    )
    sys.stdout = Printed(sys.stdout)

    def load(say: Say) -> Registry:
        code = replace(terms.code, rest=partial(loopback_api.serve, model, chosen))
        return load_models(chosen.model_dir, replace(terms, code=code), say)

    ready = folder and folder / READY
    model = ServedModel(
        partial(in_turn, load, ready, first=connections.is_first), ready.touch if ready else nothing
    )
    model.start(on_failure=partial(exit_after, chosen.failure_grace))
    admission = Admission(sizes.slots, sizes.queue, sizes.bodies)
    app = create_app(model, admission, chosen, sizes.workers)
    share = cgroups.machine().memory // sizes.workers
    app.extensions[TENURE] = Tenure(model, terms.code.cutoff, share)
    gc.freeze()  # the more lives on, the later Python looks for large pictures that do not
    telling = telling_of(chosen, meter, OneArchive(model, admission))
    return counted(app, telling, connections)


def meter_of(chosen: Settings, shared: Path | None, seat: int) -> Meter:
    """What counts in this process, for all of them where they share a folder."""
    folder = shared and shared / FOLDER
    with environment.lent(FOLDER_VARIABLE, str(folder)):
        return Meter(folder, seat, many=chosen.multi_model)


def telling_of(chosen: Settings, meter: Meter, served: Served) -> Telling:
    """What tells of this process."""
    spans = Spans(chosen.traces, {"service.name": "plumbline"}) if chosen.traces else None
    observer = Observer(meter, spans, chosen.server_timing or chosen.page)
    embedded = embedded_of(chosen, meter.folder)
    return Telling(observer, meter, served, embedded)


def counted(app: Flask, telling: Telling, connections: Counts) -> Flask:
    """The app, with what counts its requests and the worker's connections."""
    app.extensions[CONNECTIONS] = connections
    tell_of(app, telling)
    return app


def in_turn(
    load: Callable[[Say], Registry], ready: Path | None, say: Say, *, first: bool
) -> Registry:
    """Load the models: in the first process at once, in the others as soon as `ready` is there.

    So the first, on which the first healthy ping depends, has all cores to itself, and says that
    it is loading no longer when another is ready; what it has logged the others do not repeat.
    """
    while ready and not first and not ready.exists():
        time.sleep(MOMENT)
    told = told_already() if ready and ready.exists() else nullcontext()
    with loading(), told:
        return load(say)


def exit_after(grace: float) -> None:
    """End the server when the platform has had time to ask for the reason."""
    if grace >= 1:
        log.error("The server exits in %g seconds, because it has no model to serve.", grace)
    timer = threading.Timer(grace, end_server)
    timer.daemon = True
    timer.start()
