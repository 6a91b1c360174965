"""Keras's own files, by way of a SavedModel: one way of running them all.

Keras 3 reads what Keras 3 wrote, and what says nothing of its age. What Keras 2 wrote is read by
Keras 2, which lives on as tf_keras: Keras 3 refuses much of it, and computes some of it
otherwise (a hard_sigmoid, by up to 0.08). Where one can't read a file, the other may.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plumbline.archive import (
    graph_operations,
    hdf5,
    keras1,
    keras_config,
    keras_files,
    keras_precision,
)
from plumbline.archive.discovery import ModelFile
from plumbline.archive.keras_files import KerasModel
from plumbline.engines import keras3_operations
from plumbline.engines.keras_export import export
from plumbline.engines.tensorflow import TensorFlowEngine, load_saved_model, preload
from plumbline.errors import EngineError, ModelError

log = logging.getLogger("plumbline.engines")


@dataclass(frozen=True)
class Library:
    """One of the two Kerases: its name on PyPI, and how it is imported when first needed."""

    name: str
    load: Callable[[], Any]
    note: str = ""
    """What was done to the model that it read."""

    @property
    def version(self) -> str:
        """What is installed, or "(not installed)"."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return "(not installed)"

    def __str__(self) -> str:
        return f"{self.name} {self.version}{self.note}"


def import_keras() -> Any:
    """Keras 3."""
    preload()
    import keras
    from keras.src import applications

    know_own(keras, applications)
    return keras


def import_tf_keras() -> Any:
    """Keras 2; the MobileNets of 2017 call by name a relu6 that Keras had then."""
    preload()
    import tensorflow as tf
    import tf_keras
    from tf_keras.src import applications

    tf_keras.utils.get_custom_objects().setdefault("relu6", tf.nn.relu6)
    know_own(tf_keras, applications)
    return tf_keras


def know_own(keras: Any, applications: Any) -> None:
    """Let a Keras find the layers of its own networks, which HDF5 names without their module."""
    known, networks = keras.utils.get_custom_objects(), applications
    known.setdefault("LayerScale", networks.convnext.LayerScale)
    known.setdefault("StochasticDepth", networks.convnext.StochasticDepth)
    known.setdefault("CustomScaleLayer", networks.inception_resnet_v2.CustomScaleLayer)


KERAS_3 = Library("keras", import_keras)
KERAS_2 = Library("tf_keras", import_tf_keras)


def load_keras(
    model: ModelFile, signature_name: str, threads: int, allow_ops: Collection[str] = ()
) -> TensorFlowEngine:
    """The engine for a Keras file. Raises `EngineError`, `ArchiveError` or `UnsafeModel`."""
    with tempfile.TemporaryDirectory(prefix="plumbline-export-") as folder:
        convert(model, Path(folder), allow_ops)
        return load_saved_model(Path(folder), signature_name, threads)


def convert(model: ModelFile, folder: Path, allow_ops: Collection[str] = ()) -> str:
    """Write a Keras file as a SavedModel into the empty `folder`; which Keras could read it."""
    library, loaded = load(model)
    try:
        export(loaded, folder)
    except ModelError:
        raise
    except Exception as exc:  # whatever Keras raises
        raise EngineError(
            f"{library} has read {model.path.name}, but can't make a SavedModel of it: "
            f"{short(exc)}. {keras_config.EXPORT_THERE}"
        ) from exc
    graph_operations.check(folder, allow_ops, source=model.path.name)
    return str(library)


def load(model: ModelFile, custom: Collection[str] = ()) -> tuple[Library, Any]:
    """The Keras that reads this file, and the model that it made; the log says why that one.

    `custom` names what both have been told of beside their own classes.
    """
    found, note = full_precision(keras_files.read(model, custom))
    reason, libraries = preferred(found)
    failures: list[str] = []
    for library in libraries:
        try:
            loaded = read_with(library, model, found)
        except ModelError:
            raise
        except Exception as exc:  # whatever a damaged or foreign file makes Keras raise
            log.debug("%s can't read %s.", library, model.path.name, exc_info=exc)
            failures.append(f"{library} can't read it: {short(exc)}")
        else:
            log.info("%s reads %s: %s.", library, model.path.name, "; ".join([reason, *failures]))
            return replace(library, note=note), loaded
    raise unreadable(model, found, failures)


def full_precision(found: KerasModel) -> tuple[KerasModel, str]:
    """The model with its layers in float32, if it was trained in half precision, and the note."""
    policies = keras_precision.policies(found.config)
    if not policies:
        return found, ""
    note = f", in float32 arithmetic with the same weights, not in {' and '.join(policies)}"
    return replace(found, config=keras_precision.in_float32(found.config), changed=True), note


def preferred(found: KerasModel) -> tuple[str, tuple[Library, Library]]:
    """In which order the libraries are tried, and why."""
    if found.major is not None and found.major < 3:
        return f"Keras {found.version} wrote it", (KERAS_2, KERAS_3)
    if keras1.is_keras1(found.config):
        return "Keras 1 wrote it", (KERAS_2, KERAS_3)
    if found.version:
        return f"Keras {found.version} wrote it", (KERAS_3, KERAS_2)
    return "it does not say which Keras wrote it", (KERAS_3, KERAS_2)


def read_with(library: Library, model: ModelFile, found: KerasModel) -> Any:
    """The model, as one of the two libraries reads it; its training state is left out."""
    keras = library.load()
    old = keras1.is_keras1(found.config)
    if old or model.weights is not None:
        config = keras1.modern(found.config) if old else found.config
        loaded = keras.models.model_from_json(json.dumps(config))
        load_weights(loaded, model.weights or model.path)
        return loaded
    operations: dict[str, Any] = {}
    if library is KERAS_3 and model.kind == "h5":
        config, operations = keras3_operations.translated(found.config)
        found = replace(found, config=config, changed=found.changed or bool(operations))
    name = f"model.{model.kind}"
    file = (
        keras_precision.rewritten(model.path, found.config, name)
        if found.changed
        else keras_files.named(model.path, name)
    )
    with file as path:
        return keras.models.load_model(str(path), operations, compile=False, safe_mode=True)


def load_weights(model: Any, weights: Path) -> None:
    """Give the model its weights, under a name that tells Keras how they are laid out."""
    name = "model.h5" if hdf5.is_legacy_weights(weights) else "model.weights.h5"
    with keras_files.named(weights, name) as path:
        model.load_weights(str(path))


def unreadable(model: ModelFile, found: KerasModel, failures: list[str]) -> EngineError:
    """The error for a file that neither library reads, with what can be done about it."""
    name = model.path.name
    if is_newer(found.version, KERAS_3.version):
        return EngineError(
            f"{name} was saved by Keras {found.version}, and this server has {KERAS_3}, which "
            "can't read it. Save it with an older Keras, or convert it where the newer one is: "
            "plumbline pack MODEL makes an archive that needs no Keras, and so does packing what "
            "model.export('saved_model') writes there."
        )
    unknown = sorted(keras_config.unlabelled_layers(found.config) - known_layers())
    if unknown:
        return EngineError(keras_config.custom_classes(name, unknown))
    return EngineError(f"{name} can't be read. {'. '.join(failures)}. {keras_config.EXPORT_THERE}")


def is_newer(version: str | None, installed: str) -> bool:
    """Whether a version is above the installed one, by its first two numbers."""
    return numbers(version or "0") > numbers(installed)


def numbers(version: str) -> list[int]:
    """The first two numbers of a version."""
    parts = version.split(".")[:2]
    return [int(part) if part.isdecimal() else 0 for part in parts]


def known_layers() -> set[str]:
    """The names of every layer of both libraries."""
    found = {*keras_config.MODELS, *keras_config.TF_LAYERS}
    for library in (KERAS_3, KERAS_2):
        found.update(dir(library.load().layers))
    return found


def short(error: Exception, most: int = 240) -> str:
    """What a library says, in one line, without the config that it likes to quote."""
    line = " ".join(f"{type(error).__name__}: {error}".split()).partition("config={")[0]
    line = line.partition("Full object config")[0].rstrip(" .,:")
    return line if len(line) <= most else line[:most] + " …"
