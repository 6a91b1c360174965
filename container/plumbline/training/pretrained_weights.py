"""Weights to start from, out of the channel `model`: an archive, a Keras file, or weights alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.archive import tarball
from plumbline.archive.discovery import ModelFile, find_models
from plumbline.errors import PlumblineError
from plumbline.training.errors import TrainingError
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Job
from plumbline.vision.arrays import Tensor

CHANNEL = "model"

WEIGHTS = ".weights.h5"

TOP = 2
"""Arrays of the last layer: what it multiplies by, and what it adds."""

NO_CHANNEL = (
    "use_pretrained_model=1, but the job has no channel called model to take the weights from, and "
    "nothing is downloaded. Give it one that holds an earlier model.tar.gz, or a backbone that you "
    'have saved: keras.applications.MobileNetV2(include_top=False, pooling="avg").save('
    '"weights.keras").'
)


def start_from(job: Job, values: Values, network: Any, top: int = TOP) -> str:
    """Give the network the weights of the channel; what was done, in words; empty for nothing.

    `top` is how many arrays the layers have, at the end, that depend on the classes.
    Raises `TrainingError` where they were asked for and can't be had.
    """
    asked, given = values["use_pretrained_model"], "use_pretrained_model" in values.given
    if CHANNEL not in job.channels:
        if asked:
            raise TrainingError(NO_CHANNEL)
        return ""
    if given and not asked:
        return ""
    with unpacked(job.channels[CHANNEL].path) as folder:
        return taken(folder, network, values["reinitialize_top_layer"], top)


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """The channel's folder, or that of the archive that lies in it."""
    archives = sorted(folder.rglob("*.tar.gz"))
    if not archives:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-weights-") as name:
        tarball.unpack(archives[0], Path(name))
        yield Path(name)


def taken(folder: Path, network: Any, anew: bool | None, top: int) -> str:
    """Set the network's weights from a folder; `anew` is whether its last layer keeps its own."""
    files = sorted(folder.rglob(f"*{WEIGHTS}"))
    own = floats(network.weights)
    try:
        if files:
            name, found = files[0].name, weights_alone(files[0], network)
        else:
            model = find_models(folder, None).models[0]
            name, found = model.path.name, arrays_of(model)
    except PlumblineError as exc:
        raise TrainingError(f"The channel model holds no weights: {exc.message}") from exc
    body = len(own) - top
    whole = shapes(found) == shapes([each.numpy() for each in own])
    fits = shapes(found[:body]) == shapes([each.numpy() for each in own[:body]])
    if not fits or (not whole and anew is False):
        raise TrainingError(unlike(name, network, found, own))
    count = len(own) if whole and not anew else body
    for variable, value in zip(own[:count], found, strict=False):
        variable.assign(value)
    return f"The weights are those of {name}" + (
        "."
        if count == len(own)
        else ", except for the last layer, which starts from random weights."
        if top == TOP
        else ", except for the last layers, which start from random weights."
    )


def floats(variables: Sequence[Any]) -> list[Any]:
    """Those that are learnt: not the states of what is random."""
    return [each for each in variables if "float" in str(each.dtype)]


def shapes(arrays: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """Their shapes."""
    return [np.shape(array) for array in arrays]


def weights_alone(file: Path, network: Any) -> list[Tensor]:
    """What `model.save_weights` wrote: by layers, so it takes a network of this kind to read."""
    import keras

    twin = keras.models.clone_model(network)
    before = [each.numpy() for each in floats(twin.weights)]
    try:
        twin.load_weights(file, skip_mismatch=True)
    except Exception as exc:  # whatever h5py or Keras say of a file
        raise TrainingError(f"{file.name} can't be read as Keras's weights: {exc}") from exc
    found = [each.numpy() for each in floats(twin.weights)]
    if all(np.array_equal(one, other) for one, other in zip(before, found, strict=True)):
        raise TrainingError(f"{file.name} has no weights for a {network.name}.")
    return found


def arrays_of(model: ModelFile) -> list[Tensor]:
    """The arrays of a model in its own order: of a Keras file, or of a SavedModel made from one."""
    if model.kind == "saved_model":
        return list(saved_arrays(model.path))
    from plumbline.engines.keras import load

    _, loaded = load(model)
    return [np.asarray(each) for each in floats(loaded.weights)]


def saved_arrays(folder: Path) -> Iterator[Tensor]:
    """The variables of a SavedModel that `plumbline pack` has written, in the model's order."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "variables/variables"))
    number = 0
    while reader.has_tensor(name := f"weights/{number}/.ATTRIBUTES/VARIABLE_VALUE"):
        value = reader.get_tensor(name)
        if value.dtype.kind == "f":
            yield value
        number += 1


def unlike(name: str, network: Any, found: Sequence[Tensor], own: Sequence[Any]) -> str:
    """The sentence for weights of another network."""
    first = next(
        (
            f"array {place} is {np.shape(one)} there and {tuple(other.shape)} here"
            for place, (one, other) in enumerate(zip(found, own, strict=False))
            if np.shape(one) != tuple(other.shape)
        ),
        f"it has {len(found)} arrays, and {len(own)} are needed",
    )
    return (
        f"The channel model holds {name}, whose weights are not a {network.name}'s: {first}. "
        "Choose the network that it is of (network=NAME), with its size, or "
        "reinitialize_top_layer=1 where only the classes differ."
    )
