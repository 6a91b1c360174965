"""Models of both Kerases, the files that they write, and what the server makes of those."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.archive.contents import open_archive
from plumbline.engines.selection import load_engine
from plumbline.engines.time_left import lasting

Config = dict[str, Any]


def small_cnn(keras: Any, activation: str = "relu", *, depthwise: bool = True) -> Any:
    """Every kind of weight that image models have, and no two alike."""
    layers = keras.layers
    parts = [
        layers.Input((8, 8, 3)),
        layers.Conv2D(6, 3, padding="same", activation=activation),
        layers.BatchNormalization(),
        *([layers.DepthwiseConv2D(3, use_bias=False)] if depthwise else []),
        layers.MaxPooling2D(),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
    ]
    return shaken(keras.Sequential(parts))


def cifar_cnn(keras: Any) -> Any:
    """A classifier of CIFAR-10, as notebooks have it."""
    layers, parts = keras.layers, [keras.layers.Input((32, 32, 3))]
    for filters, pooled in ((50, False), (64, True), (128, True), (256, True), (256, True)):
        parts.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        parts += [layers.MaxPooling2D(), layers.Dropout(0.2)] if pooled else []
    parts += [layers.Flatten(), layers.Dense(500, activation="relu"), layers.Dropout(0.2)]
    parts += [layers.Dense(250, activation="relu"), layers.Dense(10, activation="softmax")]
    return keras.Sequential(parts)


def shaken(model: Any) -> Any:
    """The model with weights that are no defaults: moving variances that aren't 1, say."""
    random = np.random.default_rng(0)

    def values(weight: np.ndarray) -> np.ndarray:
        low, high = (-0.2, 0.2) if weight.ndim > 1 else (0.3, 0.9)
        return random.uniform(low, high, weight.shape).astype(weight.dtype)

    model.set_weights([values(weight) for weight in model.get_weights()])
    return model


def pictures(size: int = 8, count: int = 3) -> np.ndarray:
    """`[count, size, size, 3]` float32 in 0..1."""
    return np.random.default_rng(1).random((count, size, size, 3), np.float32)


def predicted(model: Any, inputs: np.ndarray) -> np.ndarray:
    """What Keras itself answers."""
    return np.asarray(model(inputs, training=False))


def served(root: Path, inputs: np.ndarray) -> np.ndarray:
    """What the server answers for the archive in `root`."""
    archive = open_archive(root)
    engine = load_engine(archive.model, archive.spec.model.signature, 1)
    (output,) = engine.run({engine.signature.input().name: inputs}, lasting(60)).values()
    return output


def save(model: Any, file: Path) -> None:
    """`model.save`, which warns of formats that it finds old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(str(file))


def save_weights(model: Any, file: Path) -> None:
    """`model.save_weights`, likewise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_weights(str(file))


def save_pair(model: Any, root: Path, weights: str) -> None:
    """An architecture and its weights."""
    (root / "model.json").write_text(model.to_json())
    save_weights(model, root / weights)


def rewrite_h5(file: Path, change: Callable[[Config], Config], **attributes: str | None) -> None:
    """Change the config in an HDF5 file, and attributes of its root (None removes one)."""
    import h5py

    with h5py.File(file, "r+") as h5:
        config = h5.attrs["model_config"]
        text = config.decode() if isinstance(config, bytes) else config
        h5.attrs["model_config"] = json.dumps(change(json.loads(text)))
        for name, value in attributes.items():
            for place in (h5, h5["model_weights"]):
                place.attrs.pop(name, None)
                if value is not None:
                    place.attrs[name] = value


def rewrite_zip(file: Path, changes: dict[str, bytes]) -> None:
    """Replace or add members of a `.keras` file."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {**members, **changes}.items():
            archive.writestr(name, data)
