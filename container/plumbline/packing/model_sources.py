"""What training left behind, as the command line names it → the model's files."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from plumbline.archive import (
    diagnosis,
    discovery,
    foreign_files,
    graph_operations,
    handler_code,
    hdf5,
)
from plumbline.archive.discovery import ModelFile
from plumbline.archive.handler_code import FOLDER, PROGRAM
from plumbline.errors import PackingError
from plumbline.settings import environment

KINDS = """It must be one of
  a SavedModel folder (with saved_model.pb in it)
  a .keras file
  an .h5 or .hdf5 file with the whole model
  model.json and its weights (.h5): name both"""


def find(model: Path, weights: Path | None) -> ModelFile:
    """The model that is meant. Raises `PackingError`, `ArchiveError` or `UnsafeModel`."""
    if not model.exists():
        raise PackingError(f"There is no file or folder {model}.")
    if weights is not None:
        return pair(model, weights)
    if model.is_dir():
        found = discovery.find_models(model, None).models[0]
        if broken := diagnosis.incomplete(model, found.path):
            raise broken
        return harmless(found)
    if said := foreign_files.told(model, str(model)):
        raise PackingError(said)
    whole = discovery.keras_file(model)
    if whole is None:
        raise PackingError(f"{model.name} holds no model. {KINDS}{hint(model)}")
    return whole


def harmless(model: ModelFile) -> ModelFile:
    """The model, if it is no SavedModel that does more than compute. Raises `UnsafeModel`."""
    if model.kind == "saved_model":
        graph_operations.check(model.path, environment.from_environment().allow_ops)
    return model


def pair(model: Path, weights: Path) -> ModelFile:
    """An architecture and its weights."""
    if model.suffix.lower() != ".json":
        raise PackingError(
            f"Weights are named beside {model.name}, but only an architecture (model.json) has its "
            "weights in a file of their own."
        )
    if not weights.is_file():
        raise PackingError(f"There is no file of weights {weights}.")
    if not hdf5.is_hdf5(weights):
        said = foreign_files.told(weights, str(weights)) or (
            "It is not an HDF5 file, which model.save_weights('model.weights.h5') writes."
        )
        raise PackingError(f"{weights.name} holds no weights. {said}")
    return ModelFile("json", model, weights)


def hint(model: Path) -> str:
    """What may be meant by a file that is no model by itself."""
    if model.suffix.lower() == ".json":
        return f"\nThe weights of {model.name} are missing: name them after it."
    if model.name == "saved_model.pb":
        return f"\nName the folder that saved_model.pb lies in: plumbline pack {model.parent}"
    if tarfile.is_tarfile(model):
        return (
            f"\n{model.name} is an archive: unpack it and pack the model in it, or, if it was "
            f"packed already: plumbline serve {model}"
        )
    return ""


def code_left_out(model: Path, code: Path | None) -> Iterator[str]:
    """A sentence about each handler in or beside a model that does not go into the archive."""
    beside = [folder / PROGRAM for folder in (model.parent / FOLDER, model.parent)]
    inside = handler_code.find_named(model, {PROGRAM}) if model.is_dir() else ()
    for file in (*inside, *filter(Path.is_file, beside if model.is_dir() else beside[:1])):
        if code is None or not file.resolve().is_relative_to(code.resolve()):
            yield (
                f"Warning: {file} is not packed, and would not be run: a handler is what --code "
                f"names. Add it: --code {file.parent}"
            )


SAVED_MODEL_PARTS = ("saved_model.pb", "saved_model.pbtxt", "variables", "assets", "assets.extra")
"""What a SavedModel needs; the rest (fingerprints, debug information, Keras's notes) is left."""


def saved_model_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a SavedModel that are packed, and their paths inside it."""
    for name in SAVED_MODEL_PARTS:
        part = folder / name
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if file.is_file():
                yield file, file.relative_to(folder).as_posix()
