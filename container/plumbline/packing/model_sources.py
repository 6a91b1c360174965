"""What training left behind, as the command line names it → the model's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plumbline.archive import discovery, graph_operations, hdf5
from plumbline.archive.discovery import ModelFile
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
        return harmless(discovery.find_models(model, None).models[0])
    found = discovery.keras_file(model)
    if found is None:
        raise PackingError(f"{model.name} holds no model. {KINDS}{hint(model)}")
    return found


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
        raise PackingError(f"{weights.name} holds no weights: it is not an HDF5 file.")
    return ModelFile("json", model, weights)


def hint(model: Path) -> str:
    """What may be meant by a file that is no model by itself."""
    if model.suffix.lower() == ".json":
        return f"\nThe weights of {model.name} are missing: name them after it."
    if model.suffix.lower() in hdf5.SUFFIXES:
        return f"\n{model.name} may hold weights only: name the model.json before it."
    return ""


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
