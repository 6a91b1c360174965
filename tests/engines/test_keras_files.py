"""Keras files of every age: served as Keras itself answers, or refused with the reason."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kerases import (
    Config,
    cifar_cnn,
    pictures,
    predicted,
    rewrite_h5,
    rewrite_zip,
    save,
    save_pair,
    save_weights,
    served,
    small_cnn,
)

from plumbline.archive import hdf5, keras_files
from plumbline.errors import ArchiveError, EngineError, ModelError, UnsafeModel

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def tf_keras() -> Any:
    return pytest.importorskip("tf_keras")


LIBRARIES = ("keras", "tf_keras")

WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "whole .h5": lambda model, root: save(model, root / "model.h5"),
    ".keras": lambda model, root: save(model, root / "model.keras"),
    ".json with .weights.h5": lambda model, root: save_pair(model, root, "model.weights.h5"),
}

NAMED_OTHERWISE = {"whole .hdf5": lambda model, root: save(model, root / "model.hdf5")}

READS = {"keras": "keras 3.", "tf_keras": "tf_keras 2."}


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize(
    "write", {**WRITERS, **NAMED_OTHERWISE}.values(), ids=[*WRITERS, *NAMED_OTHERWISE]
)
def test_what_either_keras_saves_is_answered_as_it_answers(
    name: str,
    write: Callable[[Any, Path], None],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = small_cnn(request.getfixturevalue(name))
    write(model, tmp_path)
    with caplog.at_level(logging.INFO, "plumbline.engines"):
        answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "plumbline.engines"]
    assert line.startswith(READS[name])


def test_the_notebook_s_network_exported_the_old_way(tf_keras: Any, tmp_path: Path) -> None:
    """`to_json` and `save_weights("….h5")`, which Keras 3 can't read."""
    model = cifar_cnn(tf_keras)
    save_pair(model, tmp_path, "cifar10.h5")
    answers = served(tmp_path, pictures(32))
    np.testing.assert_allclose(answers, predicted(model, pictures(32)), atol=1e-6, rtol=0)


def test_old_weights_under_the_new_name(tf_keras: Any, tmp_path: Path) -> None:
    """Before 2023 `save_weights("x.weights.h5")` wrote what it wrote under any name."""
    model = small_cnn(tf_keras)
    save_pair(model, tmp_path, "model.h5")
    (tmp_path / "model.h5").rename(tmp_path / "model.weights.h5")
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


def test_hdf5_under_the_name_of_keras(tf_keras: Any, tmp_path: Path) -> None:
    """Before 2022 `save("x.keras")` wrote HDF5."""
    model = small_cnn(tf_keras)
    save(model, tmp_path / "model.h5")
    (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


def test_what_keras_3_would_misread_is_left_to_keras_2(
    keras: Any, tf_keras: Any, tmp_path: Path
) -> None:
    """The two have different hard sigmoids, and Keras 3 reads the file without a word."""
    model = small_cnn(tf_keras, "hard_sigmoid", depthwise=False)
    save(model, tmp_path / "model.h5")
    expected = predicted(model, pictures())
    misread = keras.models.load_model(tmp_path / "model.h5", compile=False)
    assert np.abs(predicted(misread, pictures()) - expected).max() > 1e-4
    np.testing.assert_allclose(served(tmp_path, pictures()), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", LIBRARIES)
def test_layers_for_training_alone_leave_pictures_as_they_are(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Keras's own `export` makes a SavedModel that goes on turning them at random."""
    layers = request.getfixturevalue(name).layers
    picture = layers.Input((8, 8, 3))
    turned = layers.RandomRotation(0.5)(layers.RandomFlip()(layers.Rescaling(2.0)(picture)))
    model = request.getfixturevalue(name).Model(picture, layers.Dropout(0.5)(turned))
    save(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(served(tmp_path, pictures()), 2 * pictures())


# --- age --------------------------------------------------------------------------------------


def without(config: Any, *keys: str) -> Any:
    """The config without these keys, at any depth."""
    if isinstance(config, dict):
        return {name: without(value, *keys) for name, value in config.items() if name not in keys}
    return [without(value, *keys) for value in config] if isinstance(config, list) else config


def of_2017(config: Config) -> Config:
    """As Keras 2.0 wrote a Sequential: a list, without modules and without later keys."""
    layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
    old = without(
        layers, "module", "registered_name", "build_config", "groups", "ragged", "sparse", "dtype",
        "trainable", "optional", "axis",
    )  # fmt: skip
    old[0]["config"]["batch_input_shape"] = [None, 8, 8, 3]
    for layer in old:
        if layer["class_name"] == "BatchNormalization":
            layer["config"]["axis"] = -1
        if layer["class_name"] == "DepthwiseConv2D":
            layer["config"].update(groups=1, filters=None)
            del layer["config"]["filters"]
    return {"class_name": "Sequential", "config": old}


def of_2019(config: Config) -> Config:
    """As TensorFlow 2.0 wrote a functional model: class Model, no modules."""
    old: Config = without(config, "module", "registered_name", "build_config", "optional")
    return {**old, "class_name": "Model"}


AGES: dict[str, tuple[Callable[[Config], Config], str | None]] = {
    "2.0.8": (of_2017, "2.0.8"),
    "2.2.4-tf": (of_2017, "2.2.4-tf"),
    "unnamed": (of_2017, None),
}


@pytest.mark.parametrize(("change", "version"), AGES.values(), ids=AGES)
def test_a_classifier_found_in_the_wild(
    change: Callable[[Config], Config], version: str | None, tf_keras: Any, tmp_path: Path
) -> None:
    model = small_cnn(tf_keras)
    save(model, tmp_path / "model.hdf5")
    rewrite_h5(tmp_path / "model.hdf5", change, keras_version=version)
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


def test_a_functional_model_of_2019(tf_keras: Any, tmp_path: Path) -> None:
    layers = tf_keras.layers
    picture = layers.Input((8, 8, 3))
    first = layers.SeparableConv2D(4, 3, padding="same", activation="relu")(picture)
    second = layers.Conv2D(4, 1)(picture)
    joined = layers.GlobalAveragePooling2D()(layers.add([first, second]))
    model = tf_keras.Model(picture, layers.Dense(3, activation="softmax")(joined))
    save(model, tmp_path / "model.hdf5")
    rewrite_h5(tmp_path / "model.hdf5", of_2019, keras_version="2.3.0-tf")
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


def test_the_relu6_of_the_mobilenets_of_2017(tf_keras: Any, tmp_path: Path) -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.ReLU(6.0, name="r"), layers.Flatten()]
    )
    save(model, tmp_path / "model.h5")

    def named(config: Config) -> Config:
        old = of_2017(config)
        old["config"][1] = {
            "class_name": "Activation",
            "config": {"name": "r", "activation": "relu6"},
        }
        return old

    rewrite_h5(tmp_path / "model.h5", named, keras_version="2.1.0")
    inputs = 40 * pictures()
    np.testing.assert_allclose(served(tmp_path, inputs), predicted(model, inputs), atol=1e-6)
    assert predicted(model, inputs).max() == 6


def of_2016(config: Config) -> Config:
    """As Keras 1.2 wrote a Sequential: other names for nearly everything."""
    convolution = {
        "name": "convolution2d_1", "trainable": True, "batch_input_shape": [None, 8, 8, 3],
        "input_dtype": "float32", "nb_filter": 6, "nb_row": 3, "nb_col": 3, "init":
        "glorot_uniform", "activation": "relu", "border_mode": "same", "subsample": [1, 1],
        "dim_ordering": "tf", "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1},
        "b_regularizer": None, "activity_regularizer": None, "W_constraint": None,
        "b_constraint": None, "bias": True,
    }  # fmt: skip
    normalization = {
        "name": "batchnormalization_1", "trainable": True, "epsilon": 0.001, "mode": 0, "axis": -1,
        "momentum": 0.99, "gamma_regularizer": None, "beta_regularizer": None,
    }  # fmt: skip
    pooling = {
        "name": "maxpooling2d_1", "trainable": True, "pool_size": [2, 2], "strides": [2, 2],
        "border_mode": "valid", "dim_ordering": "tf",
    }  # fmt: skip
    dense = {
        "name": "dense_1", "trainable": True, "output_dim": 4, "init": "glorot_uniform",
        "activation": "softmax", "W_regularizer": None, "b_regularizer": None,
        "activity_regularizer": None, "W_constraint": None, "b_constraint": None, "bias": True,
        "input_dim": 96,
    }  # fmt: skip
    layers = (
        ("Convolution2D", convolution),
        ("BatchNormalization", normalization),
        ("MaxPooling2D", pooling),
        ("Dropout", {"name": "dropout_1", "trainable": True, "p": 0.5}),
        ("Flatten", {"name": "flatten_1", "trainable": True}),
        ("Dense", dense),
    )
    return {
        "class_name": "Sequential",
        "config": [{"class_name": name, "config": settings} for name, settings in layers],
    }


@pytest.mark.parametrize("version", ["1.2.2", None])
def test_a_classifier_of_keras_1(version: str | None, tf_keras: Any, tmp_path: Path) -> None:
    model = small_cnn(tf_keras, depthwise=False)
    save(model, tmp_path / "model.hdf5")
    rewrite_h5(tmp_path / "model.hdf5", of_2016, keras_version=version)
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


# --- code -------------------------------------------------------------------------------------


def writes_a_file(x: Any) -> Any:
    """What a hostile layer would do as soon as the model is built."""
    __import__("pathlib").Path(__import__("os").environ["PLUMBLINE_TEST_MARK"]).write_text("ran")
    return x


def with_lambda(keras: Any) -> Any:
    return keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.Lambda(writes_a_file)])


@pytest.fixture
def mark(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that hostile code writes."""
    file = tmp_path_factory.mktemp("marks") / "mark"
    monkeypatch.setenv("PLUMBLINE_TEST_MARK", str(file))
    return file


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_lambda_is_refused_and_its_code_never_runs(
    name: str,
    write: Callable[[Any, Path], None],
    mark: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    write(with_lambda(request.getfixturevalue(name)), tmp_path)
    assert mark.read_text() == "ran"  # when it was built here
    mark.unlink()
    with pytest.raises(UnsafeModel) as caught:
        served(tmp_path, pictures())
    assert "a Lambda layer, which is Python code" in caught.value.message
    assert "model.export('saved_model')" in caught.value.message
    assert not mark.exists()


def test_without_the_check_keras_2_would_run_it(tf_keras: Any, mark: Path, tmp_path: Path) -> None:
    """Were this to fail, the tests above would prove nothing."""
    save(with_lambda(tf_keras), tmp_path / "model.h5")
    mark.unlink()
    tf_keras.models.load_model(tmp_path / "model.h5", compile=False)
    assert mark.read_text() == "ran"


def custom_layer(keras: Any) -> Any:
    """A model with a layer of the user's own."""
    prior_box = type("PriorBox", (keras.layers.Layer,), {"call": lambda self, x: x * 2})
    return keras.Sequential([keras.layers.Input((8, 8, 3)), prior_box()])


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_custom_layer_is_named_and_packing_told(
    name: str,
    write: Callable[[Any, Path], None],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    write(custom_layer(request.getfixturevalue(name)), tmp_path)
    with pytest.raises(ModelError) as caught:
        served(tmp_path, pictures())
    assert "PriorBox, which Keras does not have" in caught.value.message
    assert "plumbline pack MODEL --custom-objects FILE" in caught.value.message


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_loss_of_the_user_s_own_does_not_matter(
    name: str,
    write: Callable[[Any, Path], None],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    keras = request.getfixturevalue(name)
    model = small_cnn(keras)
    loss = type("FocalLoss", (keras.losses.Loss,), {"call": lambda self, y, z: z})
    model.compile("adam", loss())
    write(model, tmp_path)
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


def test_a_module_is_never_imported(keras: Any, tmp_path: Path) -> None:
    save(small_cnn(keras), tmp_path / "model.keras")
    config = json.loads(zipfile.ZipFile(tmp_path / "model.keras").read("config.json"))
    config["config"]["layers"][1].update(module="antigravity", class_name="Popen")
    rewrite_zip(tmp_path / "model.keras", {"config.json": json.dumps(config).encode()})
    with pytest.raises(UnsafeModel, match=r"needs antigravity\.Popen, which Keras does not have"):
        served(tmp_path, pictures())


# --- files that reach outside, and bombs ------------------------------------------------------


def external_link(h5: Any, outside: Path) -> None:
    import h5py

    h5["stolen"] = h5py.ExternalLink(str(outside), "/secret")


def external_storage(h5: Any, outside: Path) -> None:
    h5.create_dataset("stolen", (4,), "u1", external=[(str(outside), 0, 4)])


def virtual(h5: Any, outside: Path) -> None:
    import h5py

    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource(str(outside), "secret", (4,))
    h5.create_virtual_dataset("stolen", layout)


def bomb(h5: Any, outside: Path) -> None:
    h5.create_dataset("zeros", (2**40,), "u1", chunks=(2**20,), compression="gzip")


def objects(h5: Any, outside: Path) -> None:
    import h5py

    h5.create_dataset("objects", (4,), h5py.string_dtype())


OUTSIDE: dict[Callable[[Any, Path], None], str] = {
    external_link: "'stolen' is a link to another file",
    external_storage: "/stolen is not a plain array of numbers",
    virtual: "/stolen is not a plain array of numbers",
    bomb: "bytes would unpack to 1,099,511,6",
    objects: "/objects is not a plain array of numbers",
}


@pytest.fixture(scope="module")
def every_form(tf_keras: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model as each of the forms that Keras 2 saves."""
    folders = {form: tmp_path_factory.mktemp(form) for form in ("h5", "keras", "json")}
    model = small_cnn(tf_keras)
    save(model, folders["h5"] / "model.h5")
    save(model, folders["keras"] / "model.keras")
    save_pair(model, folders["json"], "weights.h5")
    return folders


@pytest.mark.parametrize("form", ["h5", "keras", "json"])
@pytest.mark.parametrize("add", OUTSIDE, ids=lambda add: add.__name__)
def test_weights_that_are_more_than_numbers_are_refused(
    add: Callable[[Any, Path], None], form: str, every_form: dict[str, Path], tmp_path: Path
) -> None:
    import h5py

    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"data")
    root = shutil.copytree(every_form[form], tmp_path / "archive")
    if form == "keras":
        stream = io.BytesIO(zipfile.ZipFile(root / "model.keras").read("model.weights.h5"))
        with h5py.File(stream, "r+") as h5:
            add(h5, outside)
        rewrite_zip(root / "model.keras", {"model.weights.h5": stream.getvalue()})
    else:
        with h5py.File(root / {"h5": "model.h5", "json": "weights.h5"}[form], "r+") as h5:
            add(h5, outside)
    with pytest.raises(UnsafeModel) as caught:
        served(root, pictures())
    assert OUTSIDE[add] in caught.value.message


@pytest.mark.parametrize(("size", "is_bomb"), [(2**20, False), (2**31, True)])
def test_zeros_are_a_bomb_only_where_they_are_many(
    size: int, is_bomb: bool, tmp_path: Path
) -> None:
    """A layer that was initialised with zeros and never trained compresses well, too."""
    import h5py

    file = tmp_path / "model.h5"
    with h5py.File(file, "w") as h5:
        h5.create_dataset("zeros", (size,), "u1", chunks=(2**18,), compression="gzip", fillvalue=0)
        h5["zeros"][: 2**18] = 0
    assert file.stat().st_size * hdf5.SUSPICIOUS_RATIO < size
    with pytest.raises(UnsafeModel) if is_bomb else nullcontext():
        hdf5.check(file, "model.h5", file.stat().st_size)


def test_circles_and_links_within_a_file_are_no_harm(tf_keras: Any, tmp_path: Path) -> None:
    import h5py

    model = small_cnn(tf_keras)
    save(model, tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as h5:
        h5["model_weights/circle"] = h5["/"]
        h5["soft"] = h5py.SoftLink("/nowhere")
    answers = served(tmp_path, pictures())
    np.testing.assert_allclose(answers, predicted(model, pictures()), atol=1e-6, rtol=0)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], object), allow_pickle=True)
    return stream.getvalue()


def pickled_in_npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, weights=np.array([os.getcwd], object))
    return stream.getvalue()


EXTRAS: dict[str, tuple[str, bytes, str]] = {
    "pickle": ("assets/tokens.pkl", b"cos\nsystem\n", "'assets/tokens.pkl', which is code"),
    "python": ("assets/layers.py", b"", "'assets/layers.py', which is code or a pickle"),
    "pickled array": ("assets/a.npy", pickled(), "holds pickled objects, not numbers"),
    "pickled arrays": ("model.weights.npz", pickled_in_npz(), "holds pickled objects"),
    "outside": ("../../etc/cron.d/x", b"", "it holds '../../etc/cron.d/x', outside it"),
}


@pytest.mark.parametrize(("name", "data", "reason"), EXTRAS.values(), ids=EXTRAS)
def test_a_keras_zip_holds_only_what_models_need(
    name: str, data: bytes, reason: str, keras: Any, tmp_path: Path
) -> None:
    save(small_cnn(keras), tmp_path / "model.keras")
    rewrite_zip(tmp_path / "model.keras", {name: data})
    with pytest.raises(UnsafeModel) as caught:
        served(tmp_path, pictures())
    assert reason in caught.value.message


def test_a_zip_bomb_is_refused_by_its_directory(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras_files, "SUSPICIOUS_SIZE", 1024**2)
    save(small_cnn(keras), tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(20 * 1024**2))
    with pytest.raises(UnsafeModel, match="it would unpack to"):
        served(tmp_path, pictures())


# --- damage -----------------------------------------------------------------------------------


def test_a_keras_file_of_a_newer_keras_names_both_versions(keras: Any, tmp_path: Path) -> None:
    save(small_cnn(keras), tmp_path / "model.keras")
    config = json.loads(zipfile.ZipFile(tmp_path / "model.keras").read("config.json"))
    config["config"]["layers"][1]["config"]["invented_in_keras_4"] = True
    members = {"config.json": config, "metadata.json": {"keras_version": "4.0.1"}}
    rewrite_zip(
        tmp_path / "model.keras",
        {name: json.dumps(document).encode() for name, document in members.items()},
    )
    with pytest.raises(EngineError) as caught:
        served(tmp_path, pictures())
    assert caught.value.message.startswith(
        f"model.keras was saved by Keras 4.0.1, and this server has keras {keras.__version__}, "
        "which can't read it."
    )


@pytest.mark.parametrize(
    ("name", "share", "reason"),
    [
        ("model.keras", 0.5, "model.keras is damaged or not whole: a .keras file is a zip archive"),
        ("model.h5", 0.5, "model.h5 is damaged or not whole: HDF5 can't open it"),
    ],
)
def test_a_truncated_file_is_said_to_be(
    name: str, share: float, reason: str, keras: Any, tmp_path: Path
) -> None:
    save(small_cnn(keras), tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ArchiveError) as caught:
        served(tmp_path, pictures())
    assert caught.value.message.startswith(reason)


def test_weights_of_another_model_are_an_error_of_both_libraries(
    tf_keras: Any, tmp_path: Path
) -> None:
    save_pair(small_cnn(tf_keras), tmp_path, "model.weights.h5")
    save_weights(cifar_cnn(tf_keras), tmp_path / "model.weights.h5")
    with pytest.raises(EngineError) as caught:
        served(tmp_path, pictures())
    assert caught.value.message.startswith("model.json can't be read. tf_keras 2.")
    assert " keras 3." in caught.value.message
    assert len(caught.value.message) < 800


def test_a_zip_that_keras_did_not_write(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("notes.txt", "x")
    with pytest.raises(ArchiveError, match=r"^model\.keras holds no config\.json: it is a zip"):
        served(tmp_path, pictures())


def test_h5_files_are_told_apart_without_keras(tf_keras: Any, tmp_path: Path) -> None:
    model = small_cnn(tf_keras)
    save(model, tmp_path / "whole.h5")
    save_weights(model, tmp_path / "legacy.h5")
    save_weights(model, tmp_path / "new.weights.h5")
    found = {
        file.name: (hdf5.is_whole_model(file), hdf5.is_legacy_weights(file))
        for file in tmp_path.iterdir()
    }
    assert found == {
        "whole.h5": (True, True),
        "legacy.h5": (False, True),
        "new.weights.h5": (False, False),
    }
