"""What a model's own process serves, where there are many: an archive, with an API for its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """Where the handler of the model in `folder` is: its own, or the one that all models share.

    That lies beside them, in /opt/ml/models/code.
    """
    common = folder.parent.parent / FOLDER
    if said.folder or (folder / FOLDER).is_dir() or not common.is_dir():
        return said
    return replace(said, folder=str(common))
