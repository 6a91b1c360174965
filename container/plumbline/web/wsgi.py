"""What gunicorn serves: called in each worker, after the fork, as TensorFlow needs it."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

from flask import Flask

from plumbline import allocator, cgroups, settings
from plumbline.admission import Admission
from plumbline.links import Links
from plumbline.loading import Terms, load_models
from plumbline.served import ServedModel
from plumbline.settings import Settings
from plumbline.web import multi_model
from plumbline.web.app import create_app, create_multi_model_app

log = logging.getLogger("plumbline.web")

LOADER = "plumbline.loading:load_models"
"""What loads a model in a process of its own, where there are many."""

BOOT_FAILED = 3
"""The exit status of a worker at which gunicorn ends the whole server, with the same status."""


def application(shared: str | None = None) -> Flask:
    """The app for this process's environment, its model beginning to load.

    `shared` is a folder for what the workers of one server need to find out only once.
    """
    chosen = settings.from_environment()
    allocator.reuse_small_blocks_only()
    logging.captureWarnings(capture=True)  # Pillow's, about odd pictures: as lines like all others
    sizes = chosen.sizes(cgroups.machine())
    folder = Path(shared) if shared else None
    if chosen.multi_model:
        return create_multi_model_app(multi_model.many_models(chosen, sizes, LOADER, folder))
    terms = replace(terms_of(chosen, sizes.cores), shared=folder)
    model = ServedModel(partial(load_models, chosen.model_dir, terms))
    model.start(on_failure=partial(exit_after, chosen.failure_grace))
    return create_app(model, Admission(sizes.slots, sizes.queue), chosen, sizes.workers)


def terms_of(chosen: Settings, cores: int) -> Terms:
    """How the settings want models to be served."""
    return Terms(
        limits=chosen.limits,
        max_instances=chosen.max_instances,
        cores=cores,
        engine=chosen.engine,
        streams=chosen.streams,
        most_together=chosen.most_together,
        fetch=Links(chosen.url_allow, chosen.max_body, chosen.url_timeout).fetch,
        max_fetched=chosen.max_body,
    )


def exit_after(grace: float) -> None:
    """End the server when the platform has had time to ask for the reason."""
    log.error("The server exits in %g seconds, because it has no model to serve.", grace)
    timer = threading.Timer(grace, os._exit, (BOOT_FAILED,))
    timer.daemon = True
    timer.start()
