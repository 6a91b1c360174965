"""The examples, run as one would type them, and models that need no preprocessing declared."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.archive import tarball
from plumbline.errors import InvalidInstances
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from plumbline.wire.responses import JSON, to_json
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

EXAMPLES = ROOT / "model/examples"


def example(
    warm: WarmProcesses, name: str, *arguments: str | Path, **constants: float
) -> subprocess.CompletedProcess[str]:
    """An example, run as one would type it, but for these constants of its."""
    script: list[str | Path] = [EXAMPLES / f"{name}.py"]
    if constants:
        script = ["-c", f"import {name} as it; vars(it).update({constants}); it.main()"]
    return warm.run(*script, *arguments, env={**os.environ, "PYTHONPATH": str(EXAMPLES)})


def run_example(warm: WarmProcesses, name: str, *arguments: str | Path, **constants: float) -> str:
    """What it prints, if it ends well."""
    done = example(warm, name, *arguments, **constants)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def served(archive: Path, folder: Path) -> Pipeline:
    """What answers for the archive, its golden pictures checked."""
    tarball.unpack(archive, folder)
    return load_models(folder, Terms(max_instances=64, cores=2), lambda _: None).default.pipeline


def forever() -> float:
    """A deadline for slow machines."""
    return 300.0


def test_cifar10_is_served_from_its_old_export_as_its_author_predicts(
    tmp_path: Path, warm: WarmProcesses
) -> None:
    """Every held-out picture, as a JPEG, gets the probabilities of `predict`."""
    out = tmp_path / "cifar10"
    run_example(warm, "cifar10", "--data", "digits", "--epochs", "1", "--out", out)
    predict = author_of("cifar10")
    pipeline = served(out / "model.tar.gz", tmp_path / "served")

    differences = [
        np.abs(predict(str(file)) - only(pipeline.values(file.read_bytes(), forever))).max()
        for file in sorted((out / "pictures").iterdir())
    ]

    assert len(differences) == 10
    assert max(differences) <= 1e-5


def test_mobilenet_is_served_as_the_documentation_of_keras_predicts(
    tmp_path: Path, warm: WarmProcesses
) -> None:
    out = tmp_path / "mobilenet"
    run_example(warm, "mobilenet", "--weights", "random", "--out", out)
    predict = author_of("mobilenet")
    pipeline = served(out / "model.tar.gz", tmp_path / "served")

    for file in sorted((out / "pictures").iterdir()):
        found = only(pipeline.values(file.read_bytes(), forever))
        np.testing.assert_allclose(found, predict(str(file)), atol=1e-5)


def author_of(example: str) -> Any:
    """The example's own prediction code."""
    sys.path.insert(0, str(ROOT / "model/examples"))
    try:
        return __import__(example).predict
    finally:
        sys.path.pop(0)


def only(values: dict[str, np.ndarray]) -> np.ndarray:
    """The one output of one picture."""
    [output] = values.values()
    return output[0]


def test_a_model_that_preprocesses_by_itself_needs_no_more_than_its_size(tmp_path: Path) -> None:
    """Resizing, Rescaling and Normalization inside, labels by a StringLookup."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    picture = keras.Input((48, 64, 3), name="picture")
    small = layers.Resizing(16, 16)(picture)
    scaled = layers.Normalization(mean=[0.5] * 3, variance=[0.25] * 3)(
        layers.Rescaling(1 / 255)(small)
    )
    scores = layers.Dense(3, activation="softmax")(layers.Flatten()(scaled))
    best = layers.Lambda(lambda row: keras.ops.argmax(row, axis=-1))(scores)
    lookup = layers.StringLookup(vocabulary=["cat", "dog", "bee"], invert=True, num_oov_indices=0)
    model = keras.Model(picture, {"scores": scores, "label": lookup(best)})
    model.export(tmp_path / "archive", verbose=False)
    (tmp_path / "archive" / "plumbline.toml").write_text("[preprocess]\nsize = [48, 64]\n")
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    photo.save(tmp_path / "photo.png")
    expected = model.predict(np.asarray(photo, np.float32)[np.newaxis], verbose=0)

    pipeline = load_models(
        tmp_path / "archive", Terms(max_instances=64, cores=2, engine="tensorflow"), lambda _: None
    ).default.pipeline
    body = (tmp_path / "photo.png").read_bytes()
    answer = pipeline(Request(body, "image/png"), forever, Stopwatch())
    found = only(pipeline.values(body, forever))

    np.testing.assert_allclose(found, expected["scores"][0], atol=1e-6)
    said = expected["label"][0]
    said = said.decode() if isinstance(said, bytes) else str(said)
    assert f'"label":"{said}"'.encode() in answer.body


def test_a_model_that_decodes_pictures_itself_gets_their_bytes(tmp_path: Path) -> None:
    """An export of TensorFlow's, with its decoder inside and nothing declared."""
    import tensorflow as tf

    def sizes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        decode = tf.function(lambda one: tf.shape(tf.io.decode_image(one, expand_animations=False)))
        shapes = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec([3], tf.int32))
        return {"mean": tf.cast(shapes, tf.float32)[:, tf.newaxis, :]}

    module = tf.Module()
    module.serve = tf.function(sizes, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.serve)
    Image.new("RGB", (7, 5)).save(tmp_path / "photo.png")
    picture = (tmp_path / "photo.png").read_bytes()

    pipeline = load_models(
        tmp_path, Terms(max_instances=64, cores=2, engine="tensorflow"), lambda _: None
    ).default.pipeline

    asked = [
        Request(picture, "image/png"),
        Request(to_json({"instances": [{"b64": base64.b64encode(picture).decode()}]}), JSON),
    ]
    for request in asked:
        answer = pipeline(request, forever, Stopwatch())
        assert answer.body == b'{"predictions":[[[5.0,7.0,3.0]]]}'


def test_a_model_that_takes_no_pictures_is_served_for_tensors(tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.add = tf.function(
        lambda left, right: {"sum": left + right},
        input_signature=[
            tf.TensorSpec([None, 2], name="left"),
            tf.TensorSpec([None, 2], name="right"),
        ],
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.add)

    pipeline = load_models(
        tmp_path, Terms(max_instances=64, cores=2, engine="tensorflow"), lambda _: None
    ).default.pipeline

    body = b'{"instances": [{"left": [1, 2], "right": [3, 4]}]}'
    assert (
        pipeline(Request(body, JSON), forever, Stopwatch()).body == b'{"predictions":[[4.0,6.0]]}'
    )
    with pytest.raises(InvalidInstances, match="takes no pictures"):
        pipeline(Request(b"\xff\xd8\xff", "image/jpeg"), forever, Stopwatch())


def test_a_picture_for_a_model_of_two_inputs_is_refused(tmp_path: Path) -> None:
    """Its first input could be a picture, and nothing would fill the second."""
    import tensorflow as tf

    module = tf.Module()
    module.join = tf.function(
        lambda image, mask: {"sum": tf.reduce_sum(image, [1, 2, 3]) + mask},
        input_signature=[
            tf.TensorSpec([None, 8, 8, 3], name="image"),
            tf.TensorSpec([None], name="mask"),
        ],
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.join)
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")

    pipeline = load_models(
        tmp_path, Terms(max_instances=64, cores=2, engine="tensorflow"), lambda _: None
    ).default.pipeline

    with pytest.raises(InvalidInstances, match=r"takes no pictures\. The model has 2 inputs"):
        pipeline(Request(stream.getvalue(), "image/png"), forever, Stopwatch())
