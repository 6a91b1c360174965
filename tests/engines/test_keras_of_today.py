"""Keras models as people save them today: in mixed precision, of classes of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kerases import pictures, predicted, save, served, small_cnn

from plumbline.archive.contents import open_archive
from plumbline.engines.selection import load_engine
from plumbline.engines.tensorflow import load_saved_model
from plumbline.engines.time_left import lasting
from plumbline.errors import PackingError, UnsafeModel
from plumbline.packing import convert_process, custom_objects

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
    with pytest.raises(PackingError) as caught:
        convert_process.load_keras(request(tmp_path / "two.keras", pictures=["a.png"]))
    assert "2 inputs (image [None, 8, 8, 3], meta [None, 4])" in caught.value.message
    assert "Pack it without --golden" in caught.value.message
    engine = load_saved_model(tmp_path / "converted", "serving_default", 1)
    fed = {"image": pictures(), "meta": np.ones((3, 4), np.float32)}
    [output] = engine.run(fed, lasting(60)).values()
    np.testing.assert_allclose(output[:, :3], pictures().mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(output[:, 3:], 1)
