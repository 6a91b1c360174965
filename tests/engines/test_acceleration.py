"""Packed archives are computed by OpenVINO, unless it answers otherwise than TensorFlow."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forms_here import has_bf16, made_here
from PIL import Image

from plumbline.archive import manifest
from plumbline.archive.tarball import unpack
from plumbline.errors import EngineError
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing.assembly import Contents, GoldenPicture, pack
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request
from warm_processes import WarmProcesses

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]

SPEC = 'labels = ["a", "b", "c", "d"]\n[model]\npath = "cnn"\n[preprocess]\nnormalize = "unit"\n'


@pytest.fixture(scope="module")
def goldens(keras_files, tmp_path_factory: pytest.TempPathFactory) -> tuple[GoldenPicture, ...]:
    """Pictures of the model's own size, and what Keras says of them."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    found = []
    for number in range(4):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        expected = keras_files.predict(pixels[np.newaxis].astype(np.float32) / 255)
        found.append(GoldenPicture(folder / f"{number}.png", expected))
    return tuple(found)


def packed(
    keras_files: Any, goldens: tuple[GoldenPicture, ...], out: Path, spec: str = SPEC
) -> Path:
    """The archive's files, after `pack` and unpacking."""
    pack(Contents(model=keras_files.saved_model, spec=spec, goldens=goldens), out / "m.tar.gz")
    folder = out / "unpacked"
    folder.mkdir()
    unpack(out / "m.tar.gz", folder)
    return folder


@pytest.fixture(scope="module")
def original(keras_files, goldens, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of the model."""
    return packed(keras_files, goldens, tmp_path_factory.mktemp("original"))


@pytest.fixture
def archive(original: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(original, tmp_path / "archive")


def served(folder: Path, engine: str = "auto") -> Pipeline:
    """What answers for it."""
    terms = Terms(cores=2, engine=engine)
    return load_models(folder, terms, lambda _: None).default.pipeline


def values(pipeline: Pipeline, golden: GoldenPicture) -> np.ndarray:
    """What is said of a picture."""
    return next(iter(pipeline.values(golden.picture.read_bytes(), lambda: 60.0).values()))


def test_a_packed_archive_is_computed_by_openvino_with_the_same_answers(
    archive: Path, goldens: tuple[GoldenPicture, ...]
) -> None:
    pipeline = served(archive)

    assert pipeline.engine.name == "openvino"
    for golden in goldens:
        np.testing.assert_allclose(values(pipeline, golden), golden.expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("resize", "dtype"), [("pillow-bilinear", "uint8"), ("tensorflow-bilinear", "float32")]
)
def test_pictures_stay_bytes_until_the_network_and_tensors_are_taken_as_ever(
    keras_files, goldens: tuple[GoldenPicture, ...], tmp_path: Path, resize: str, dtype: str
) -> None:
    spec = SPEC + f'resize = "{resize}"\n'
    pipeline = served(packed(keras_files, goldens, tmp_path, spec))
    pixels = np.asarray(Image.open(goldens[0].picture), np.float32) / 255
    body = json.dumps({"instances": [pixels.tolist()]}).encode()

    answer = pipeline(Request(body, "application/json"), lambda: 60.0, Stopwatch())

    assert pipeline.engine.signature.input().dtype == dtype
    assert pipeline.signed(None).signature.input().dtype == "float32"
    found = json.loads(answer.body)["predictions"]
    np.testing.assert_allclose(found, goldens[0].expected.reshape(1, -1), rtol=0, atol=1e-6)
    np.testing.assert_allclose(values(pipeline, goldens[0]), goldens[0].expected, rtol=0, atol=1e-6)


def test_the_second_name_that_keras_gives_a_function_is_kept(
    archive: Path, goldens: tuple[GoldenPicture, ...]
) -> None:
    pixels = np.asarray(Image.open(goldens[0].picture), np.float32) / 255
    sent = {"signature_name": "serve", "instances": [pixels.tolist()]}

    answer = served(archive)(
        Request(json.dumps(sent).encode(), "application/json"), lambda: 60.0, Stopwatch()
    )

    found = json.loads(answer.body)["predictions"]
    np.testing.assert_allclose(found, goldens[0].expected.reshape(1, -1), rtol=0, atol=1e-6)


def test_tensorflow_is_not_even_imported_for_it(archive: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from plumbline.loading.loader import load_models; "
        "from plumbline.loading.terms import Terms; "
        "load_models(Path(sys.argv[1]), Terms(cores=2), lambda _: None); "
        "print(*{'tensorflow', 'keras', 'tf_keras', 'h5py'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "container")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == []


def test_only_forms_within_the_budget_are_kept(archive: Path) -> None:
    """The default budget is 1e-5, which bfloat16 can't keep."""
    forms = json.loads((archive / "accelerated" / "forms.json").read_text())

    assert [form["name"] for form in forms["forms"]] == ["f32"]
    assert [form["name"] for form in forms["measured"]] == made_here("f32", "bf16")
    assert not (archive / "accelerated" / "int8.xml").exists()


def test_bf16_that_was_packed_elsewhere_is_chosen_where_the_cpu_has_it(
    archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked for it, OpenVINO would compute in float32 without a word elsewhere."""
    file = archive / "accelerated" / "forms.json"
    said = json.loads(file.read_text())
    said["forms"] = [{**said["forms"][0], "name": "bf16", "precision": "bf16"}]
    file.write_text(json.dumps(said))
    (archive / manifest.FILE).unlink()
    spec = archive / "plumbline.toml"
    spec.write_text(spec.read_text() + "[acceleration]\nmax_difference = 1\nmin_agreement = 0\n")

    assert served(archive).engine.name == ("openvino" if has_bf16() else "tensorflow")
    assert [record for record in caplog.records if record.levelno == logging.WARNING] == []


@pytest.mark.parametrize(
    ("engine", "expected"),
    [("auto", "openvino"), ("openvino", "openvino"), ("tensorflow", "tensorflow")],
)
def test_the_setting_chooses(archive: Path, engine: str, expected: str) -> None:
    assert served(archive, engine).engine.name == expected


def broken(archive: Path) -> Path:
    """The archive with a network that is no network."""
    (archive / "accelerated" / "network.xml").write_text("<net>")
    (archive / manifest.FILE).unlink()
    return archive


def test_a_form_that_does_not_load_is_dropped_with_a_warning(
    archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert served(broken(archive)).engine.name == "tensorflow"
    [warning] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(
        "OpenVINO in f32 is not used here: OpenVINO can't compile network.xml"
    )


def test_a_form_that_answers_otherwise_is_dropped_with_a_warning(
    archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its weights are turned round."""
    weights = archive / "accelerated" / "network.bin"
    array = np.frombuffer(weights.read_bytes(), np.uint8).copy()
    whole = array[: len(array) // 4 * 4].view(np.float32)
    size = np.abs(whole)
    whole[(size > 1e-6) & (size < 10)] *= -1  # not the shapes, which are whole numbers
    weights.write_bytes(array.tobytes())
    (archive / manifest.FILE).unlink()

    assert served(archive).engine.name == "tensorflow"
    [warning] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert "golden pictures come out wrong" in warning


def test_where_openvino_is_demanded_nothing_else_is_served(archive: Path) -> None:
    with pytest.raises(EngineError, match="PLUMBLINE_ENGINE=openvino, but the archive has no form"):
        served(broken(archive), "openvino")


def test_an_archive_without_golden_pictures_has_no_accelerated_form(
    keras_files, tmp_path: Path
) -> None:
    archive = packed(keras_files, (), tmp_path)

    assert not (archive / "accelerated").exists()


def test_a_model_whose_answers_depend_on_the_batch_is_computed_by_tensorflow(
    goldens: tuple[GoldenPicture, ...], tmp_path: Path
) -> None:
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "picture")])
        def score(self, picture: Any) -> dict[str, Any]:
            means = tf.reduce_mean(picture, [1, 2])
            return {"scores": means - tf.reduce_max(means, 0, keepdims=True)}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "cnn"), {"serving_default": module.score})
    expected = tuple(
        GoldenPicture(golden.picture, np.zeros((1, 3), np.float32)) for golden in goldens
    )
    spec = '[model]\npath = "cnn"\n[preprocess]\nnormalize = "unit"\n'
    report = pack(
        Contents(model=tmp_path / "cnn", spec=spec, goldens=expected), tmp_path / "m.tar.gz"
    )

    assert report.acceleration.reason == (
        "its answer for a picture depends on what else is in the batch"
    )


def scalar(table: Any, picture: Any) -> dict[str, Any]:
    """An output beside the scores that has no axis for the batch."""
    import tensorflow as tf

    return {"scores": tf.reduce_mean(picture, [1, 2]), "count": tf.constant(3.0)}


def texts(table: Any, picture: Any) -> dict[str, Any]:
    """The best label beside the scores."""
    import tensorflow as tf

    scores = tf.reduce_mean(picture, [1, 2])
    return {"scores": scores, "label": table.lookup(tf.argmax(scores, 1))}


@pytest.mark.parametrize("outputs", [scalar, texts])
def test_outputs_that_openvino_is_not_given_leave_the_model_to_tensorflow(
    outputs: Any, goldens: tuple[GoldenPicture, ...], tmp_path: Path, warm: WarmProcesses
) -> None:
    import tensorflow as tf

    class Module(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            words = tf.lookup.KeyValueTensorInitializer(
                tf.constant([0, 1, 2], tf.int64), tf.constant(["a", "b", "c"])
            )
            self.table = tf.lookup.StaticHashTable(words, "?")

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "picture")])
        def serve(self, picture: Any) -> dict[str, Any]:
            return outputs(self.table, picture)

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "model"), {"serving_default": module.serve})
    command = ["-m", "plumbline", "pack", tmp_path / "model", "--golden"]
    done = warm.run(*command, goldens[0].picture.parent, "--out", tmp_path / "model.tar.gz")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "it has an output of texts, or one without an axis for pictures." in done.stdout
