"""SavedModels of every exporter, in every folder that people use: found, told apart and served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from kerases import pictures, predicted, save, save_pair, served, small_cnn

from plumbline.archive.saved_model import read_signatures
from plumbline.archive.tarball import pack
from plumbline.cli import main
from plumbline.engines.selection import load_engine
from plumbline.errors import ArchiveError, EngineError, SpecError
from plumbline.loading.inspection import inspect
from plumbline.loading.loader import load_models
from plumbline.loading.served_model import ServedModel
from plumbline.loading.terms import Terms
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.signature import Signature, TensorSpec
from plumbline.web.app import create_app

pytestmark = pytest.mark.tensorflow

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def keras_2(folder: Path) -> Any:
    """`model.save(folder, save_format="tf")`, as Keras 2 did."""
    import tf_keras

    model = small_cnn(tf_keras)
    model.save(folder, save_format="tf")
    return model


def keras_3(folder: Path) -> Any:
    """`model.export(folder)`."""
    import keras

    model = small_cnn(keras)
    model.export(folder, verbose=False)
    return model


def constant(folder: Path, scores: list[float]) -> None:
    """A model that answers the same for every picture; it has no variables."""
    import tensorflow as tf

    def answer(picture: Any) -> dict[str, Any]:
        return {"scores": tf.tile(tf.constant([scores]), [tf.shape(picture)[0], 1])}

    pictures = tf.TensorSpec([None, 8, 8, 3], tf.float32, "picture")
    module = tf.Module()
    module.answer = tf.function(answer, input_signature=[pictures])
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})


def tensorflow_1(folder: Path) -> None:
    """What TensorFlow 1's builder wrote: placeholders, variables, two signatures with any names."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        kernel = v1.get_variable("kernel", initializer=np.ones((3, 4), np.float32) / 8)
        means = tf.reduce_mean(images, [1, 2])
        logits = tf.matmul(means, kernel)
        session.run(v1.global_variables_initializer())
        build = v1.saved_model.signature_def_utils.predict_signature_def
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": build({"images": images}, {"scores": tf.nn.softmax(logits)}),
                "logits": build({"images": images}, {"logits": logits}),
            },
        )
        builder.save()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A SavedModel of Keras 2, and what it answers for `pictures()`."""
    folder = tmp_path_factory.mktemp("keras2") / "model"
    model = keras_2(folder)
    return folder, predicted(model, pictures())


@pytest.mark.parametrize("layout", [".", "1", "bees/1730000000", "export/Servo/1", "a/b/c/7"])
def test_a_keras_2_export_is_served_from_every_layout(
    layout: str, saved: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    folder, expected = saved
    shutil.copytree(folder, tmp_path / layout, dirs_exist_ok=True)
    np.testing.assert_allclose(served(tmp_path, pictures()), expected, atol=1e-6, rtol=0)


def test_a_keras_3_export(tmp_path: Path) -> None:
    model = keras_3(tmp_path / "1")
    expected = predicted(model, pictures())
    np.testing.assert_allclose(served(tmp_path, pictures()), expected, atol=1e-6, rtol=0)


def test_each_signature_of_a_tensorflow_1_export(tmp_path: Path) -> None:
    tensorflow_1(tmp_path / "1")
    logits = pictures().mean((1, 2)) @ (np.ones((3, 4), np.float32) / 8)
    np.testing.assert_allclose(served(tmp_path, pictures()), np.full((3, 4), 0.25), atol=1e-6)
    (tmp_path / "plumbline.toml").write_text('[model]\nsignature = "logits"\n')
    np.testing.assert_allclose(served(tmp_path, pictures()), logits, atol=1e-6)


def test_signatures_are_read_as_the_engine_has_them(tmp_path: Path) -> None:
    tensorflow_1(tmp_path / "1")
    model = inspect(tmp_path).archive.model
    described = read_signatures(tmp_path / "1")
    images = TensorSpec("images", (None, 8, 8, 3), "float32")
    assert described == {
        "logits": Signature((images,), (TensorSpec("logits", (None, 4), "float32"),)),
        "serving_default": Signature((images,), (TensorSpec("scores", (None, 4), "float32"),)),
    }
    assert {name: load_engine(model, name, 1).signature for name in described} == described


def test_a_damaged_graph_is_an_error(tmp_path: Path) -> None:
    constant(tmp_path / "1", [1.0])
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(EngineError, match=r"^1/saved_model\.pb is damaged: "):
        read_signatures(tmp_path / "1")


# --- what did not come along ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ("variables", "its saved_model.pb has no variables/variables.index beside it"),
        ("variables/variables.data-00000-of-00001", "its variables/ has an index, but no"),
        ("saved_model.pb", "There is no model in the archive. 1/variables/ holds the weights of a"),
    ],
)
@pytest.mark.parametrize("export", [keras_3, tensorflow_1], ids=["keras 3", "tensorflow 1"])
def test_a_part_that_is_missing_is_named(
    lost: str, reason: str, export: Callable[[Path], Any], tmp_path: Path
) -> None:
    export(tmp_path / "1")
    path = tmp_path / "1" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ArchiveError) as caught:
        served(tmp_path, pictures())
    assert reason in caught.value.message
    assert "pack the whole folder that export() or save() wrote" in caught.value.message


def test_a_graph_without_variables_is_whole(tmp_path: Path) -> None:
    """TensorFlow 1 wrote none where there were none."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        means = tf.reduce_mean(images, [1, 2])
        v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": images}, {"y": means})
    shutil.rmtree(tmp_path / "1" / "variables", ignore_errors=True)
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, pictures().mean((1, 2)), atol=1e-6)


# --- several models ---------------------------------------------------------------------------

SCORES = {"bees/2": [0.25, 0.75], "bees/10": [0.5, 0.5], "cats/1": [1.0, 0.0]}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A server of three models."""
    root = tmp_path_factory.mktemp("several")
    for place, scores in SCORES.items():
        constant(root / place, scores)
    model = ServedModel(lambda say: load_models(root, Terms(max_instances=8, cores=1), say))
    model.load(on_failure=lambda: pytest.fail(model.status.reason))
    return create_app(model, Admission(1, 1), Settings()).test_client()


@pytest.mark.parametrize(
    ("attributes", "answered_by"),
    [
        ("", "bees/10"),
        ("tfs-model-name=bees", "bees/10"),
        ("tfs-model-version=2", "bees/2"),
        ("tfs-model-name=bees,tfs-model-version=2", "bees/2"),
        ("tfs-model-name=cats, tfs-model-version=01", "cats/1"),
        ("trace=7,tfs-model-name=cats", "cats/1"),
    ],
)
def test_a_request_chooses_its_model(
    attributes: str, answered_by: str, several: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "plumbline.request"):
        answer = several.post(
            "/invocations",
            json={"instances": pictures(count=1).tolist()},
            headers={ATTRIBUTES: attributes},
        )
    assert json.loads(answer.data) == {"predictions": [SCORES[answered_by]]}
    assert caplog.records[-1].__dict__["fields"]["model"] == answered_by


CHOICE = ". tfs-model-name and tfs-model-version can choose one of bees/10, bees/2, cats/1."


@pytest.mark.parametrize(
    ("attributes", "status", "error"),
    [
        ("tfs-model-name=dogs", 404, f"Servable not found for request: Latest(dogs){CHOICE}"),
        (
            "tfs-model-name=cats,tfs-model-version=2",
            404,
            f"Servable not found for request: Specific(cats, 2){CHOICE}",
        ),
        (
            "tfs-model-version=latest",
            400,
            {
                "code": "invalid_attribute",
                "message": "tfs-model-version=latest: it must be a whole number, such as 1.",
            },
        ),
    ],
)
def test_a_model_that_is_not_there_is_the_caller_s_mistake(
    attributes: str, status: int, error: Any, several: FlaskClient
) -> None:
    answer = several.post("/invocations", json={}, headers={ATTRIBUTES: attributes})
    assert answer.status_code == status
    assert json.loads(answer.data) == {"error": error}


# --- plumbline inspect ------------------------------------------------------------------------


def inspected(*arguments: str) -> tuple[int, str]:
    """The exit status of `plumbline inspect`, and what it prints on 80 columns."""
    result = CliRunner().invoke(main, ["inspect", *arguments], env={"COLUMNS": "80"})
    return result.exit_code, result.output


def test_inspect_tells_a_person_what_would_be_served(tmp_path: Path) -> None:
    for place in ("bees/2", "bees/10"):
        constant(tmp_path / "a" / place, [0.25, 0.75])
    (tmp_path / "a" / "plumbline.toml").write_text(
        'labels = ["bee", "wasp"]\n[preprocess]\nnormalize = "unit"\n'
    )
    pack(tmp_path / "a", tmp_path / "model.tar.gz")
    status, text = inspected(str(tmp_path / "model.tar.gz"))
    lines = {tuple(line.split()) for line in text.splitlines()}
    assert status == 0
    assert max(map(len, text.splitlines())) <= 80
    for line in (
        "served bees/10",
        "what SavedModel: bees/10",
        "why a SavedModel is served before any Keras file",
        "also served bees/2; requests choose by tfs-model-name and",
        "serving_default answers requests",
        "in picture: float32 [?, 8, 8, 3]",
        "out scores: float32 [?, 2]",
        "normalize unit declared",
        "color rgb by default",
        "size [8, 8] the model's own",
        "task classification by the look of its outputs",
        "labels 2",
        "golden none: the answers were not compared with the notebook's",
        "4 infer serving_default: picture → scores",
    ):
        assert tuple(line.split()) in lines, line


def test_inspect_names_every_declaration_of_several_models(tmp_path: Path) -> None:
    for place in ("bees/2", "cats/1"):
        constant(tmp_path / place, [0.25, 0.75])
    (tmp_path / "cats" / "plumbline.toml").write_text('labels = ["cat", "dog"]\n')
    status, text = inspected(str(tmp_path), "--json")
    found = json.loads(text)
    assert status == 0
    assert found["specs"] == ["cats/plumbline.toml"]
    assert [(model["name"], model["path"]) for model in found["models"]] == [
        ("bees", "bees/2"),
        ("cats", "cats/1"),
    ]
    assert found["labels"] is None
    (tmp_path / "plumbline.toml").write_text("")
    assert "cats/plumbline.toml, plumbline.toml" in inspected(str(tmp_path))[1]


def test_inspect_tells_a_script(tmp_path: Path) -> None:
    import tf_keras

    save_pair(small_cnn(tf_keras), tmp_path, "model.weights.h5")
    status, text = inspected(str(tmp_path), "--json")
    found = json.loads(text)
    assert status == 0
    assert found["models"] == [
        {
            "name": "model",
            "version": 1,
            "kind": "json",
            "path": "model.json",
            "weights": "model.weights.h5",
            "default": True,
        }
    ]
    assert found["reader"].startswith("tf_keras 2.")
    assert found["signatures"]["serving_default"]["outputs"] == [
        {"name": "output_0", "shape": [None, 4], "dtype": "float32", "loose": False}
    ]
    assert found["golden"]["pictures"] == 0
    assert [stage["stage"] for stage in found["stages"]] == [
        "decode", "resize", "normalize", "infer", "classification", "encode",
    ]  # fmt: skip


def test_inspect_ends_with_1_and_one_screen_for_what_is_hopeless(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    status, text = inspected(str(tmp_path))
    assert status == 1
    assert text.startswith("Error: There is no model in the archive. model.onnx is an ONNX model;")
    assert "What was expected" in text
    assert len(text.splitlines()) <= 24


@pytest.mark.parametrize(
    ("declared", "error"),
    [
        ('[model]\nsignature = "train"\n', "model/1: The SavedModel has no signature 'train'"),
        ("[preprocess]\nsize = [9, 9]\n", r"preprocess.size = \[9, 9\], but the model's input is"),
        ('labels = ["one"]\n', "There are 1 labels, but the model has 2 classes"),
    ],
)
def test_inspect_refuses_what_loading_would(declared: str, error: str, tmp_path: Path) -> None:
    constant(tmp_path / "1", [0.25, 0.75])
    (tmp_path / "plumbline.toml").write_text(declared)
    with pytest.raises(SpecError, match=error):
        inspect(tmp_path)


def test_inspect_looks_at_every_model(tmp_path: Path) -> None:
    constant(tmp_path / "a/1", [0.25, 0.75])
    constant(tmp_path / "b/1", [0.25, 0.25, 0.5])
    (tmp_path / "plumbline.toml").write_text('labels = ["one", "two"]\n')
    with pytest.raises(SpecError, match="There are 2 labels, but the model has 3 classes"):
        inspect(tmp_path)


def test_inspect_reads_whole_keras_files(tmp_path: Path) -> None:
    import keras

    save(small_cnn(keras), tmp_path / "model.keras")
    found = inspect(tmp_path)
    assert found.reader == f"keras {keras.__version__}"
    assert [tensor.shape for tensor in found.signature.inputs] == [(None, 8, 8, 3)]
