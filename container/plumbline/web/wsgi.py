"""What gunicorn serves: called in each worker, after the fork, as TensorFlow needs it."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from flask import Flask

from plumbline.loading.loader import load_models
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import Say, ServedModel
from plumbline.loading.terms import terms_of
from plumbline.logs import Printed
from plumbline.machine import allocator, cgroups
from plumbline.machine.shared_counts import counts_of
from plumbline.pipeline.admission import Admission
from plumbline.settings import environment
from plumbline.web import loopback_api, multi_model_api
from plumbline.web.app import create_app, create_multi_model_app
from plumbline.web.gunicorn_worker import CONNECTIONS, TENURE
from plumbline.web.worker_retirement import Tenure
from plumbline.web.worker_succession import end_server

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
    if chosen.multi_model:
        many = multi_model_api.many_models(chosen, sizes, LOADER, folder)
        app = create_multi_model_app(many)
        app.extensions[CONNECTIONS] = connections
        return app
    terms = replace(terms_of(chosen, sizes), shared=folder)
    sys.stdout = Printed(sys.stdout)

    def load(say: Say) -> Registry:
        code = replace(terms.code, rest=partial(loopback_api.serve, model, chosen))
        return load_models(chosen.model_dir, replace(terms, code=code), say)

    model = ServedModel(partial(in_turn, load, folder, first=connections.is_first))
    model.start(on_failure=partial(exit_after, chosen.failure_grace))
    app = create_app(model, Admission(sizes.slots, sizes.queue), chosen, sizes.workers)
    share = cgroups.machine().memory // sizes.workers
    app.extensions[TENURE] = Tenure(model, terms.code.cutoff, share)
    app.extensions[CONNECTIONS] = connections
    gc.freeze()  # the more lives on, the later Python looks for large pictures that do not
    return app


def in_turn(
    load: Callable[[Say], Registry], shared: Path | None, say: Say, *, first: bool
) -> Registry:
    """Load the models: in the first process at once, in the others as soon as it is ready.

    So the first, on which the first healthy ping depends, has all cores to itself.
    """
    ready = shared and shared / READY
    while ready and not first and not ready.exists():
        time.sleep(MOMENT)
    models = load(say)
    if ready:
        ready.touch()
    return models


def exit_after(grace: float) -> None:
    """End the server when the platform has had time to ask for the reason."""
    log.error("The server exits in %g seconds, because it has no model to serve.", grace)
    timer = threading.Timer(grace, end_server)
    timer.daemon = True
    timer.start()
