"""What a model's own process serves, where there are many: an archive, with an API for its code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from plumbline.archive.handler_code import FOLDER, Whereabouts
from plumbline.handlers.code_timeout import Cutoff
from plumbline.loading.loader import load_models
from plumbline.loading.model_registry import Registry
from plumbline.loading.served_model import Say, ServedModel
from plumbline.loading.terms import Terms, terms_of
from plumbline.machine import cgroups
from plumbline.machine.sizing import CORES_PER_WORKER
from plumbline.settings import environment
from plumbline.web import loopback_api

log = logging.getLogger("plumbline.loading")

MODELS = "models"
"""The folder below which SageMaker lays all models: /opt/ml/models/<name>/model."""

Load = Callable[[Path, Terms, Say], Registry]


def hosted_model(order: Mapping[str, Any], cutoff: Cutoff, load: Load = load_models) -> ServedModel:
    """The archive's models, yet to be loaded, as the environment wants them served.

    It can't name the default of several: it is one environment for many archives.
    """
    folder = Path(order["url"])
    chosen = environment.from_environment(folder)
    sizes = chosen.sizes(cgroups.machine())
    cores = min(CORES_PER_WORKER, sizes.cores)
    terms = terms_of(chosen, replace(sizes, cores=cores, cores_alone=cores))
    code = replace(
        terms.code,
        whereabouts=whereabouts(terms.code.whereabouts, folder),
        cutoff=cutoff,
        rest=lambda: loopback_api.serve(model, chosen),
    )
    shared = Path(order["shared"]) if order["shared"] else None
    terms = replace(terms, code=code, shared=shared, default_model="")
    model = ServedModel(partial(load, folder, terms))
    return model


def whereabouts(said: Whereabouts, folder: Path) -> Whereabouts:
    """Where the handler of the model in `folder` is: its own, or the one that all models share."""
    if said.folder or said.is_in(folder / FOLDER):
        return said
    for common in shared_folders(folder):
        if said.is_in(common):
            log.info("The handler is the one in %s, which all models share.", common)
            return replace(said, folder=str(common))
    return said


def shared_folders(folder: Path) -> Iterator[Path]:
    """Where a handler for all models may lie, in turn: /opt/ml/code, /opt/ml/models/code.

    A model's folder may be any depth below /opt/ml/models.
    """
    for models in reversed(folder.parents):
        if models.name == MODELS:
            yield models.parent / FOLDER
            yield models / FOLDER
            return
    if len(folder.parents) > 1:
        yield folder.parents[1] / FOLDER
