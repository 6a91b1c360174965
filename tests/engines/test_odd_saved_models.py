"""SavedModels that are not as TensorFlow Serving expects them: tags, signatures, strings."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import kerases
import numpy as np
import pytest
from PIL import Image

from plumbline.archive.saved_model import read_signatures
from plumbline.engines import openvino_networks
from plumbline.engines.tensorflow import load_saved_model
from plumbline.engines.time_left import lasting
from plumbline.errors import EngineError, ModelError
from plumbline.loading.inspection import inspect
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing import convert_process
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request

pytestmark = pytest.mark.tensorflow

PICTURES = np.random.default_rng(3).random((2, 16, 16, 3), np.float32)


def network() -> Any:
    """A model of Keras 3."""
    import keras

    picture = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3)(picture)
    return keras.Model(picture, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def plain(model: Any, folder: Path) -> None:
    """Saved as it is."""
    import tensorflow as tf

    tf.saved_model.save(model, str(folder))


def in_a_module(model: Any, folder: Path) -> None:
    """Saved inside a module, with a signature and a second one."""
    import tensorflow as tf

    module = tf.Module()
    module.model = model
    spec = tf.TensorSpec([None, 16, 16, 3], tf.float32, name="image")
    function = partial(tf.function, input_signature=[spec], autograph=False)
    module.serve = function(lambda image: {"scores": model(image)})
    module.twice = function(lambda image: {"y": 2 * model(image)})
    signatures = {"serving_default": module.serve, "twice": module.twice}
    tf.saved_model.save(module, str(folder), signatures=signatures)


@pytest.mark.parametrize("save", [plain, in_a_module])
def test_keras_3_saved_by_tensorflow_is_answered_as_it_answers(
    save: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    model = network()
    save(model, tmp_path / "1")

    engine = load_saved_model(tmp_path / "1", "serving_default", 1)

    assert engine.signature == read_signatures(tmp_path / "1")["serving_default"]
    [found] = engine.run({engine.signature.input().name: PICTURES}, lasting(60)).values()
    expected = model.predict(PICTURES, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    if save is in_a_module:
        twice = engine.others["twice"].run({"image": PICTURES}, lasting(60))["y"]
        np.testing.assert_allclose(twice, 2 * expected, rtol=0, atol=1e-6)


def save_tagged(folder: Path, *groups: list[str], name: str = "serving_default") -> None:
    """A graph of TensorFlow 1, once with each group of tags."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        x = v1.placeholder(tf.float32, [None, 16, 16, 3], "x")
        gain = v1.get_variable("gain", initializer=2.0)
        y = tf.reduce_mean(x * gain, [1, 2])
        session.run(v1.global_variables_initializer())
        signatures = {name: v1.saved_model.predict_signature_def({"x": x}, {"y": y})}
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, groups[0], signature_def_map=signatures)
        for tags in groups[1:]:
            builder.add_meta_graph(tags, signature_def_map=signatures)
        builder.save()


TAGS = ([[]], [["serve", "gpu"]], [["train"], ["serve"]], [["serve", "gpu"], ["serve"]])


@pytest.mark.parametrize("groups", TAGS, ids=str)
def test_the_graph_that_is_for_serving_is_told_by_its_tags(
    groups: list[list[str]], tmp_path: Path
) -> None:
    save_tagged(tmp_path / "1", *groups)
    engine = load_saved_model(tmp_path / "1", "serving_default", 1)
    found = engine.run({"x": PICTURES}, lasting(60))["y"]
    np.testing.assert_allclose(found, 2 * PICTURES.mean((1, 2)), atol=1e-5)
    assert inspect(tmp_path).signature.outputs[0].name == "y"


def test_of_several_graphs_none_of_which_is_for_serving_the_tags_are_told(tmp_path: Path) -> None:
    save_tagged(tmp_path / "1", ["train"], ["eval"])
    message = said(tmp_path)
    assert "no graph for serving (tag 'serve'); the tags of its graphs are: 'train'; 'eval'" in (
        message
    )


def said(archive: Path) -> str:
    """What serving, inspecting and packing say of a model: the same."""
    with pytest.raises(ModelError) as served:
        load_models(archive, Terms(engine="tensorflow"), lambda reason: None)
    with pytest.raises(ModelError) as inspected:
        inspect(archive)
    asked = {"folder": str(archive / "1"), "pictures": ["a.png"], "spec": ""}
    with pytest.raises(ModelError) as packed:
        convert_process.load_saved_model(asked)
    assert packed.value.message in served.value.message
    assert packed.value.message in inspected.value.message
    return packed.value.message


def test_a_signature_of_another_name_is_told(tmp_path: Path) -> None:
    """It answers who asks for it by name, as TensorFlow Serving lets it; pictures need it named."""
    save_tagged(tmp_path / "1", ["serve"], name="classify_image")
    asked = {"folder": str(tmp_path / "1"), "pictures": ["a.png"], "spec": ""}
    with pytest.raises(ModelError) as packed:
        convert_process.load_saved_model(asked)
    assert packed.value.message == (
        "The SavedModel has no signature 'serving_default'; it has 'classify_image'. Set [model] "
        'signature in plumbline.toml: signature = "classify_image", say.'
    )
    assert "set [model] signature in plumbline.toml" in inspect(tmp_path).no_pictures
    (tmp_path / "plumbline.toml").write_text('[model]\nsignature = "classify_image"\n')
    assert inspect(tmp_path).signature.outputs[0].name == "y"


def test_no_signature_at_all_is_told(tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.predict = tf.function(lambda x: x + 1)
    tf.saved_model.save(module, str(tmp_path / "1"))
    message = said(tmp_path)
    assert message.startswith("The SavedModel has no signatures, so its inputs are not known")
    assert "signatures=module.function.get_concrete_function" in message


def test_a_frozen_graph_under_that_name_is_told(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        tf.identity(v1.placeholder(tf.float32, [None, 4], "x"), "y")
        graph = session.graph_def
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(graph.SerializeToString())
    message = said(tmp_path)
    assert message.startswith("1/saved_model.pb is a frozen graph of TensorFlow 1, not a Saved")
    assert "tf.compat.v1.saved_model.simple_save" in message


def save_function(folder: Path, function: Any, *spec: Any) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.serve = tf.function(function, input_signature=[tf.TensorSpec(*spec)], autograph=False)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


def answer(pipeline: Pipeline, row: Any) -> Any:
    request = Request(json.dumps({"instances": [row]}).encode(), "application/json")
    return json.loads(pipeline(request, lambda: 60.0, Stopwatch()).body)["predictions"]


def test_strings_that_are_no_pictures_need_no_declaration(tmp_path: Path) -> None:
    """Web-safe base64 of pictures, and serialised examples, as TensorFlow Serving takes them."""
    import tensorflow as tf

    def websafe(files: Any) -> Any:
        def mean(file: Any) -> Any:
            pixels = tf.io.decode_png(tf.io.decode_base64(file), 3)
            return tf.reduce_mean(tf.cast(pixels, tf.float32), [0, 1])

        scores = tf.map_fn(mean, files, fn_output_signature=tf.float32)
        return {"scores": tf.ensure_shape(scores, [None, 3])}

    def example(x: Any) -> Any:
        features = {"x": tf.io.FixedLenFeature([2], tf.float32)}
        return {"scores": tf.io.parse_example(x, features)["x"]}

    for name, function in {"websafe": websafe, "example": example}.items():
        save_function(tmp_path / name / "1", function, [None], tf.string, "inputs")
    registry = load_models(tmp_path, Terms(engine="tensorflow"), lambda reason: None)
    pipelines = {model.name: model.pipeline for model in registry.models}
    Image.new("RGB", (4, 4), (10, 20, 30)).save(tmp_path / "a.png")
    picture = base64.urlsafe_b64encode((tmp_path / "a.png").read_bytes()).decode()
    assert answer(pipelines["websafe"], picture) == [[10.0, 20.0, 30.0]]
    values = tf.train.Feature(float_list=tf.train.FloatList(value=[1, 2]))
    data = tf.train.Example(features=tf.train.Features(feature={"x": values})).SerializeToString()
    b64 = {"b64": base64.b64encode(data).decode()}
    assert answer(pipelines["example"], b64) == [[1.0, 2.0]]


def test_an_output_that_is_the_same_for_every_picture_is_left_to_tensorflow(
    tmp_path: Path,
) -> None:
    import tensorflow as tf

    def detect(image: Any) -> Any:
        scores = tf.reduce_mean(image, [1, 2])
        return {"scores": scores, "count": tf.constant([3.0])}

    save_function(tmp_path / "1", detect, [1, 16, 16, 3], tf.float32, "image")
    signature = read_signatures(tmp_path / "1")["serving_default"]
    with pytest.raises(EngineError, match="an output that is the same for every picture"):
        openvino_networks.convert(tmp_path / "1", signature, tmp_path / "n.xml")


def test_the_wrappers_in_the_documentation_give_a_classifier_its_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    page = (Path(__file__).parents[2] / "docs" / "archive.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page.partition("## Other outputs")[2], re.DOTALL)
    image = keras.Input((32, 32, 3), name="image")
    flat = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(image))
    model = keras.Model(image, keras.layers.Reshape((1, 1, 10))(flat))
    inputs = np.random.default_rng(5).random((2, 32, 32, 3), np.float32)
    expected = model.predict(inputs, verbose=0).reshape(2, 10)
    monkeypatch.chdir(tmp_path)
    model.save("model.keras")
    model.export("model", verbose=False)
    (tmp_path / "model" / "plumbline.toml").write_text('task = "classification"')
    with pytest.raises(ModelError, match=r"wrapper .* \(docs/archive.md, Other outputs\)"):
        inspect(tmp_path / "model")
    for block in blocks[:2]:
        exec(block, {"__name__": "wrapper"})
        (tmp_path / "saved_model" / "plumbline.toml").write_text('task = "classification"')
        assert inspect(tmp_path / "saved_model").archive.spec.task == "classification"
        np.testing.assert_allclose(
            kerases.served(tmp_path / "saved_model", inputs), expected, atol=1e-6
        )
        shutil.rmtree(tmp_path / "saved_model")
