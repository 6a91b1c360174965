"""Small models of every kind that the TensorFlow engine loads, made once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import training_emulator
from forking import forking
from made_once import made_once
from plumbline.archive.discovery import ModelFile
from plumbline.client import local_server
from plumbline.engines.base import Engine
from plumbline.engines.selection import load_engine
from plumbline.hosting import fork_client
from plumbline.machine import child_process
from plumbline.packing import form_measurements
from plumbline.training import handover, supervision
from warm_processes import TIMED, WarmProcesses

for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    # The processes of a test run keep the cores busy, and TensorFlow's threads spin as they wait.
    os.environ.setdefault(variable, "1")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProcesses]:
    """Processes that need not import TensorFlow first; Plumbline starts its own so, too."""
    modules = (child_process, fork_client, local_server, supervision, training_emulator)
    with (
        forking(tmp_path_factory, "tensorflow", *modules) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(form_measurements, "TIMED", TIMED)
        yield found


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo's example leaves behind; it is run unless it was, since it was last changed."""
    script, archive = ROOT / "model/examples/digits.py", ROOT / "build/demo/model.tar.gz"
    sources = [script, *(ROOT / "container/plumbline/packing").glob("*.py")]
    newest = max(source.stat().st_mtime for source in sources)
    if archive.exists() and archive.stat().st_mtime > newest:
        return archive.parent

    def make(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, script, "--out", folder],
            env={**os.environ, "PYTHONPATH": str(ROOT / "container")},
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stderr == "", "the terminal shows what is not ours"

    return made_once(tmp_path_factory, "demo", make)


@dataclass(frozen=True)
class KerasFiles:
    """One Keras model, as both kinds of file, and what it predicts."""

    keras: Path
    saved_model: Path
    predict: Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def load() -> Callable[..., Engine]:
    """Load a model file or folder with the engine that it takes."""

    def engine(path: Path, signature: str = "serving_default") -> Engine:
        kind = "keras" if path.suffix == ".keras" else "saved_model"
        return load_engine(ModelFile(kind, path), signature, 2)

    return engine


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """A batch for the Keras model."""
    return np.random.default_rng(0).random((5, 8, 8, 3), np.float32)


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> KerasFiles:
    """A small CNN, saved and exported."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(4, activation="softmax"),
        ]
    )
    folder = tmp_path_factory.mktemp("keras")
    model.save(folder / "cnn.keras")
    model.export(folder / "cnn", verbose=False)
    return KerasFiles(
        folder / "cnn.keras", folder / "cnn", lambda batch: model.predict(batch, verbose=0)
    )


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with several signatures, inputs, outputs and dtypes, its sizes open."""
    import tensorflow as tf

    pictures = tf.TensorSpec([None, None, None, 3], tf.uint8, "picture")
    weights = tf.TensorSpec([None], tf.float32, "weight")

    class Module(tf.Module):
        @tf.function(input_signature=[pictures, weights])
        def weigh(self, picture: Any, weight: Any) -> dict[str, Any]:
            mean = tf.reduce_mean(tf.cast(picture, tf.float32), [1, 2])
            return {"weighted": mean * weight[:, None], "size": tf.shape(picture)[1:3][None]}

        @tf.function(input_signature=[pictures])
        def brightest(self, picture: Any) -> dict[str, Any]:
            return {"value": tf.reduce_max(picture, [1, 2, 3])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "rounds")])
        def count(self, rounds: Any) -> dict[str, Any]:
            counted = tf.while_loop(
                lambda done: done < rounds[0], lambda done: [done + 1], [tf.constant(0)]
            )
            return {"counted": counted[0][None]}

    found = Module()
    signatures = {
        "serving_default": found.weigh,
        "brightest": found.brightest,
        "count": found.count,
    }
    folder = tmp_path_factory.mktemp("module") / "saved"
    tf.saved_model.save(found, str(folder), signatures)
    return folder


@pytest.fixture(scope="session")
def tf1_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel as TensorFlow 1 wrote it, around a frozen graph: `scores = image · 2 + 1`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    folder = tmp_path_factory.mktemp("tf1") / "saved"
    with v1.Session(graph=tf.Graph()) as session:
        image = v1.placeholder(tf.float32, [None, 2], "image")
        scores = tf.add(image * 2.0, 1.0, "scores")
        signature = v1.saved_model.predict_signature_def({"image": image}, {"scores": scores})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": signature}
        )
        builder.save()
    return folder


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs end with the model that they write first: what is packed is looked at elsewhere."""
    monkeypatch.setattr(handover, "pack_in_place", lambda *_: None)
