"""Keras models as people save them today: in mixed precision, of classes of their own."""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kerases import pictures, predicted, save, served, shaken, small_cnn
from PIL import Image

from plumbline.archive import graph_operations
from plumbline.archive.contents import open_archive
from plumbline.engines.model_io import signatures_of
from plumbline.engines.selection import load_engine
from plumbline.engines.tensorflow import load_saved_model
from plumbline.engines.time_left import lasting
from plumbline.errors import ModelError, PackingError, UnsafeModel
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.packing import convert_process, custom_objects, half_precision
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.wire.requests import Request

pytestmark = pytest.mark.tensorflow


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Custom objects put their folder on the path."""
    monkeypatch.setattr(sys, "path", [*sys.path])


LIBRARIES = ("keras", "tf_keras")


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each of the two Kerases, whose policy is float32 again afterwards."""
    module = pytest.importorskip(request.param)
    yield module
    module.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_mixed_precision_is_the_same_weights_in_float32(
    library: Any, policy: str, suffix: str, tmp_path: Path
) -> None:
    """Against the very network, built in float32, with the same weights."""
    library.mixed_precision.set_global_policy(policy)
    save(small_cnn(library), tmp_path / f"model.{suffix}")
    library.mixed_precision.set_global_policy("float32")
    expected = predicted(small_cnn(library), pictures())

    found = served(tmp_path, pictures())

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def request(file: Path, **more: Any) -> dict[str, Any]:
    """What the process that converts is asked."""
    usual = {"weights": None, "spec": "", "pictures": [], "custom": ()}
    folder = file.parent / "converted"
    return {"kind": "keras", "path": str(file), "folder": str(folder), **usual, **more}


def packed(file: Path, objects: Path) -> tuple[str, np.ndarray]:
    """Who read a model, and what its SavedModel answers."""
    with custom_objects.known(objects) as names:
        reader, _, _ = convert_process.load_keras(request(file, custom=names))
    engine = load_saved_model(file.parent / "converted", "serving_default", 1)
    outputs = engine.run({engine.signature.input().name: pictures()}, lasting(60))
    return reader, next(iter(outputs.values()))


def test_who_reads_it_says_so(library: Any, tmp_path: Path) -> None:
    library.mixed_precision.set_global_policy("mixed_float16")
    save(small_cnn(library), tmp_path / "model.keras")
    (tmp_path / "objects.py").write_text("def anything(): pass")
    reader, _ = packed(tmp_path / "model.keras", tmp_path / "objects.py")
    assert reader.startswith(library.__name__)
    assert ", in float32 arithmetic with the same weights, not in mixed_float16" in reader


def test_golden_outputs_of_bfloat16_are_numbers() -> None:
    import tensorflow as tf

    values = tf.constant([[0.5, 2.0]], tf.bfloat16)
    found = convert_process.numbers({"scores": values})
    assert found["scores"].tolist() == [0.5, 2.0]
    assert found["scores"].dtype == np.float32


SUBCLASSED = """
import {library} as keras
import numpy as np
import tensorflow as tf


class Palette(tf.Module):
    def __init__(self):
        super().__init__()
        self.gain = tf.Variable(3.0, trainable=False)


class Looked(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        names = tf.lookup.KeyValueTensorInitializer([0, 1], [1.5, 2.5])
        self.levels = tf.lookup.StaticHashTable(names, 0.0)
        self.palette = Palette()

    def call(self, x):
        return x * self.levels.lookup(tf.constant(1)) * self.palette.gain

    def compute_output_shape(self, shape):
        return shape


class Net(keras.Model):
    def __init__(self, classes=4, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.looked = Looked()
        self.conv = keras.layers.Conv2D(8, 3, activation="relu")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.out = keras.layers.Dense(classes, activation="softmax")

    def call(self, picture, training=False):
        return self.out(self.pool(self.conv(self.looked(picture))))

    def get_config(self):
        return {{"classes": self.classes}}
"""


def test_a_subclassed_model_of_tables_and_modules(library: Any, tmp_path: Path) -> None:
    name = f"net_of_{library.__name__}"
    code = tmp_path / f"{name}.py"
    code.write_text(SUBCLASSED.format(library=library.__name__))
    model = vars(custom_objects.imported(code))["Net"]()
    model(pictures())
    expected = predicted(model, pictures())
    save(model, tmp_path / "net.keras")

    _, found = packed(tmp_path / "net.keras", code)

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


PACKAGE = """
import keras


@keras.saving.register_keras_serializable(package="shop", name="Swoosh")
class Activation(keras.layers.Layer):
    def call(self, x):
        return x * keras.ops.sigmoid(2.0 * x)
"""


def test_a_package_that_registers_its_classes_needs_only_be_imported(tmp_path: Path) -> None:
    import keras

    (tmp_path / "shop_of_layers.py").write_text(PACKAGE)
    objects = tmp_path / "objects.py"
    objects.write_text("import shop_of_layers")
    kind = vars(custom_objects.imported(tmp_path / "shop_of_layers.py"))["Activation"]
    picture = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(kind()(keras.layers.Conv2D(4, 3)(picture)))
    model = keras.Model(picture, pooled)
    expected = predicted(model, pictures())
    model.save(tmp_path / "shop.keras")
    keras.saving.get_custom_objects().pop("shop>Swoosh")
    sys.modules.pop("shop_of_layers")

    _, found = packed(tmp_path / "shop.keras", objects)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)

    archive = tmp_path / "archive"
    archive.mkdir()
    (tmp_path / "shop.keras").rename(archive / "shop.keras")
    opened = open_archive(archive)
    with pytest.raises(UnsafeModel, match="import PACKAGE is enough") as caught:
        load_engine(opened.model, "serving_default", 1)
    assert "model.export('saved_model')" in caught.value.message


def test_custom_objects_that_define_and_register_nothing(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text("import json")
    with (
        pytest.raises(PackingError, match="imports no package that registers some"),
        custom_objects.known(tmp_path / "nothing.py"),
    ):
        pass


def test_pictures_fill_one_of_several_inputs(tmp_path: Path) -> None:
    import keras

    image, meta = keras.Input((8, 8, 3), name="image"), keras.Input((4,), name="meta")
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    joined = keras.layers.Concatenate()([pooled, meta])
    keras.Model({"image": image, "meta": meta}, joined).save(tmp_path / "two.keras")
    asked = request(tmp_path / "two.keras", pictures=["a.png"])
    _, predict, signature = convert_process.load_keras(asked)
    with pytest.raises(ModelError) as caught:
        convert_process.answer_pictures(asked, predict, signature, io.StringIO())
    assert "2 inputs (image: float32 [?, 8, 8, 3], meta: float32 [?, 4])" in caught.value.message
    assert '[model] constants = {"meta" = 0}' in caught.value.message
    engine = load_saved_model(tmp_path / "converted", "serving_default", 1)
    fed = {"image": pictures(), "meta": np.ones((3, 4), np.float32)}
    [output] = engine.run(fed, lasting(60)).values()
    np.testing.assert_allclose(output[:, :3], pictures().mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(output[:, 3:], 1)


def test_operators_between_layers_are_read_from_hdf5(tmp_path: Path) -> None:
    """Keras 3 does not read what it wrote: an addition has the name of the layer Add there."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    cells = layers.Conv2D(4, 3, padding="same")(image)
    cells = keras.ops.relu(cells + 2 * layers.Conv2D(4, 1)(cells)) - 0.5
    cells = layers.Add()([cells, layers.Conv2D(4, 1)(image)])
    model = keras.Model(image, keras.ops.mean(cells, axis=(1, 2)))
    model.save(tmp_path / "model.h5")

    found = served(tmp_path, pictures())

    np.testing.assert_allclose(found, predicted(model, pictures()), rtol=0, atol=1e-6)


def test_the_layers_of_convnext_are_known_in_hdf5(library: Any, tmp_path: Path) -> None:
    source = "keras.src" if library.__name__ == "keras" else "tf_keras.src"
    own = importlib.import_module(f"{source}.applications.convnext")
    image = library.Input((8, 8, 3))
    cells = library.layers.Conv2D(4, 3, padding="same")(image)
    branch = own.StochasticDepth(0.2)(own.LayerScale(0.3, 4)(cells))
    scores = library.layers.GlobalAveragePooling2D()(library.layers.Add()([cells, branch]))
    model = library.Model(image, scores)
    save(model, tmp_path / "model.h5")

    found = served(tmp_path, pictures())

    np.testing.assert_allclose(found, predicted(model, pictures()), rtol=0, atol=1e-6)


def test_a_convnext_in_hdf5_is_served(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    own = importlib.import_module("keras.src.applications.convnext")
    small = {"depths": (1,) * 4, "projection_dims": (16, 32, 64, 128), "input_shape": (32, 32, 3)}
    model = own.ConvNeXt(**small, weights=None, classes=5, classifier_activation="softmax")
    save(shaken(model), tmp_path / "model.h5")
    pixels = (pictures(32)[0] * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")

    pipeline = load_models(tmp_path, Terms(engine="tensorflow"), lambda _: None).default.pipeline
    request = Request(stream.getvalue(), "image/png", options={"top_k": 5})
    answer = pipeline(request, lambda: 60.0, Stopwatch())

    [found] = json.loads(answer.body)["predictions"]
    scores = {each["class_id"]: each["score"] for each in found["classes"]}
    expected = predicted(model, pixels[None].astype(np.float32))[0]
    np.testing.assert_allclose([scores[number] for number in range(5)], expected, atol=1e-6)


def test_operations_of_a_keras_file_can_be_let_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a SavedModel; MatMul stands for one that is not on the list."""
    keras = pytest.importorskip("keras")
    save(small_cnn(keras), tmp_path / "model.keras")
    listed = graph_operations.known() - {"MatMul"}
    monkeypatch.setattr(graph_operations, "known", lambda: listed)
    opened = open_archive(tmp_path, allow_ops=["MatMul"])
    with pytest.raises(UnsafeModel, match=r"^model\.keras is refused.*ALLOW_OPS=MatMul"):
        signatures_of(opened.model, replace(opened, allow_ops=()))
    reader, _ = signatures_of(opened.model, opened)
    assert reader.startswith("keras")
    load_engine(opened.model, "serving_default", 1, opened.allow_ops)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_saved_model_in_mixed_precision_is_the_same_weights_in_float32(
    library: Any, policy: str, tmp_path: Path
) -> None:
    library.mixed_precision.set_global_policy(policy)
    small_cnn(library).export(str(tmp_path / "1"))
    library.mixed_precision.set_global_policy("float32")
    expected = predicted(small_cnn(library), pictures())

    said = half_precision.in_float32(tmp_path / "1")

    assert said == f", in float32 arithmetic with the same weights, not in {policy[6:]}"
    assert half_precision.in_float32(tmp_path / "1") == ""
    engine = load_saved_model(tmp_path / "1", "serving_default", 1)
    [found] = engine.run({engine.signature.input().name: pictures()}, lasting(60)).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert found.dtype == np.float32


def test_a_saved_model_whose_weights_are_in_half_precision_stays_as_it_is(
    library: Any, tmp_path: Path
) -> None:
    library.mixed_precision.set_global_policy("float16")
    small_cnn(library).export(str(tmp_path / "1"))
    before = (tmp_path / "1/saved_model.pb").read_bytes()

    said = half_precision.in_float32(tmp_path / "1")

    assert said.startswith(", in float16 as it was saved, because weights are in it, too (")
    assert (tmp_path / "1/saved_model.pb").read_bytes() == before


DETECTOR = """
import keras


@keras.saving.register_keras_serializable(package="shop")
class Grid:
    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()

    def boxes(self, offsets):
        return offsets * 2.0


@keras.saving.register_keras_serializable(package="shop")
class Detector(keras.Model):
    prediction_decoder = None

    def __init__(self, grid=None, **kwargs):
        image = keras.Input((8, 8, 3), name="images")
        cells = keras.layers.Conv2D(4, 3)(image)
        super().__init__(image, {"offsets": keras.layers.Reshape((-1, 4))(cells)}, **kwargs)
        self.grid = grid or Grid()

    def decode_predictions(self, outputs, images):
        return {"boxes": self.grid.boxes(outputs["offsets"])}

    def get_config(self):
        return {"grid": keras.saving.serialize_keras_object(self.grid)}

    @classmethod
    def from_config(cls, config):
        grid = config["grid"]
        return cls(keras.saving.deserialize_keras_object(grid) if isinstance(grid, dict) else grid)
"""


def test_a_packages_detector_is_packed_with_its_decoder(tmp_path: Path) -> None:
    """As KerasHub's: `predict` decodes."""
    pytest.importorskip("keras")
    (tmp_path / "shop_of_boxes.py").write_text(DETECTOR)
    objects = tmp_path / "objects.py"
    objects.write_text("import shop_of_boxes")
    sys.path.insert(0, str(tmp_path))
    model = shaken(importlib.import_module("shop_of_boxes").Detector())
    expected = 2 * np.asarray(model(pictures()[:1])["offsets"])
    save(model, tmp_path / "net.keras")
    for name in [name for name in keras_objects() if name.startswith("shop>")]:
        del keras_objects()[name]
    del sys.modules["shop_of_boxes"]

    with custom_objects.known(objects) as names:
        assert "shop_of_boxes.*" in names
        convert_process.load_keras(request(tmp_path / "net.keras", custom=names))

    engine = load_saved_model(tmp_path / "converted", "serving_default", 1)
    outputs = engine.run({"images": pictures()[:1]}, lasting(60))
    np.testing.assert_allclose(outputs["boxes"], expected, rtol=0, atol=1e-6)


def keras_objects() -> dict[str, Any]:
    """What is registered with Keras."""
    import keras

    registered: dict[str, Any] = keras.utils.get_custom_objects()
    return registered


def test_which_package_is_lacking_is_said_with_the_line_to_write() -> None:
    from plumbline.archive.keras_config import custom_classes

    said = custom_classes("net.keras", ["keras_hub.src.a.Anchors", "keras_hub.src.b.Boxes"])
    assert said.startswith("net.keras needs Anchors, Boxes, which Keras does not have.")
    assert "pip install keras-hub" in said
    assert "the line import keras_hub into objects.py" in said
    assert "plumbline pack net.keras --custom-objects objects.py" in said
    assert "model.export('saved_model')" in said


def test_a_model_that_answers_labels_alone_says_what_to_save(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((8, 8, 3))
    scores = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(image))
    look = keras.layers.StringLookup(vocabulary=["cat", "dog"], num_oov_indices=0, invert=True)
    keras.Model(image, look(keras.ops.argmax(scores, axis=-1))).save(tmp_path / "net.keras")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    asked = request(tmp_path / "net.keras", pictures=[str(tmp_path / "red.png")])
    _, predict, target = convert_process.load_keras(asked)
    with pytest.raises(PackingError, match=r"answers texts alone \(output_0\).*'scores'"):
        convert_process.answer_pictures(
            {**asked, "answers": str(tmp_path)}, predict, target, io.StringIO()
        )
