"""What a Keras config holds: building blocks of Keras, code, or somebody's own classes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plumbline.archive import keras_config
from plumbline.errors import ArchiveError, UnsafeModel

Config = dict[str, Any]


def model(*layers: Config) -> Config:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def layer(name: str, /, module: str | None = "keras.layers", **config: Any) -> Config:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def old(name: str, /, **config: Any) -> Config:
    """A layer as files before 2023 have it."""
    return {"class_name": name, "config": config}


def function(module: str, name: str) -> Config:
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


HARMLESS: dict[str, Config] = {
    "keras 3": layer("Dense", units=3, activation="relu"),
    "tf_keras": layer("Dense", "tf_keras.layers"),
    "source module": layer("Functional", "keras.src.models.functional"),
    "operation": layer("Add", "keras.src.ops.numpy"),
    "top": layer("DTypePolicy", "keras"),
    "activation": layer("Dense", activation=function("builtins", "relu")),
    "silu": layer("Dense", activation=function("keras.activations", "silu")),
    "old": old("DepthwiseConv2D", kernel_size=[3, 3]),
    "data": layer("Dense", registered_name="x", things={"class_name": "__tuple__", "items": [1]}),
    "typespec": {
        "class_name": "__typespec__",
        "module": "tensorflow.python.framework.tensor",
        "config": [[None, 3], "float32"],
        "registered_name": "TensorSpec",
    },
    "initializer": layer("Constant", "tensorflow.python.ops.init_ops_v2"),
    "tensor": {"class_name": "__tensor__", "config": {"value": 1, "dtype": "float32"}},
    "arithmetic": old("TFOpLambda", function="math.reduce_mean"),
    "operator": old("TFOpLambda", function="__operators__.add"),
    "plain function": old("TFOpLambda", function="compat.v1.expand_dims"),
    "slice": old("SlicingOpLambda", function="__operators__.getitem"),
    "node": old("TensorFlowOpLayer", node_def={"name": "AddV2", "op": "AddV2"}),
    "vocabulary": layer("StringLookup", vocabulary=["cat", "dog"]),
    "rnn": old("RNN", cell=old("ResidualWrapper", residual_fn_type="function")),
}


@pytest.mark.parametrize("entry", HARMLESS.values(), ids=HARMLESS)
def test_building_blocks_are_taken(entry: Config) -> None:
    keras_config.check(model(entry), "model.keras")


CODE: dict[str, tuple[Config, str]] = {
    "lambda layer": (layer("Lambda"), "a Lambda layer, which is Python code"),
    "old lambda layer": (old("Lambda"), "a Lambda layer, which is Python code"),
    "registered": (
        {**layer("Dense"), "registered_name": "Custom>Lambda"},
        "a Lambda layer, which is Python code",
    ),
    "lambda": (
        layer("Dense", activation={"class_name": "__lambda__", "config": {"value": "4wEAAA=="}}),
        "a Python lambda",
    ),
    "deep": (
        layer("TimeDistributed", layer=old("Bidirectional", layer=old("Lambda"))),
        "a Lambda layer, which is Python code",
    ),
    "in a list of lists": (layer("Dense", x=[[[old("Lambda")]]]), "a Lambda layer"),
    "bytecode": (old("Anything", function_type="lambda"), "Python bytecode"),
    "bytecode of a cell": (old("ResidualWrapper", residual_fn_type="lambda"), "Python bytecode"),
    "another model": (layer("TFSMLayer", filepath="/x"), "a TFSMLayer, which loads another model"),
    "torch": (layer("TorchModuleWrapper"), "a TorchModuleWrapper, which unpickles"),
    "file function": (
        old("TFOpLambda", function="io.write_file"),
        "a call of TensorFlow's 'io.write_file'",
    ),
    "py_function": (
        old("TFOpLambda", function="py_function"),
        "a call of TensorFlow's 'py_function'",
    ),
    "raw op": (
        old("TFOpLambda", function="compat.v1.raw_ops.WriteFile"),
        "a call of TensorFlow's 'compat.v1.raw_ops.WriteFile'",
    ),
    "no function": (old("TFOpLambda"), "a call of TensorFlow's ''"),
    "file node": (
        old("TensorFlowOpLayer", node_def={"op": "ReadFile"}),
        "a TensorFlow operation on files",
    ),
    "vocabulary": (
        layer("StringLookup", vocabulary="/etc/passwd"),
        "a vocabulary that is a file ('/etc/passwd')",
    ),
}


@pytest.mark.parametrize(("entry", "reason"), CODE.values(), ids=CODE)
def test_code_is_refused_with_what_it_is(entry: Config, reason: str) -> None:
    with pytest.raises(UnsafeModel) as caught:
        keras_config.check(model(layer("Dense"), entry), "model.h5")
    assert caught.value.message.startswith(
        f"model.h5 is refused, because code in model files is never run, and it holds {reason}"
    )


FOREIGN: dict[str, tuple[Config, str]] = {
    "module": (layer("PriorBox", "ssd.layers"), "ssd.layers.PriorBox"),
    "no module": ({**layer("PriorBox", None), "registered_name": "SSD>PriorBox"}, "SSD>PriorBox"),
    "python": (layer("Popen", "subprocess"), "subprocess.Popen"),
    "function": (layer("Dense", activation=function("os", "system")), "os.system"),
    "helper of keras": (
        layer("Dense", activation=function("keras.utils", "get_file")),
        "keras.utils.get_file",
    ),
    "loader of keras": (layer("load_model", "keras.src.saving"), "keras.src.saving.load_model"),
    "looks like keras": (layer("Dense", "keras_evil.layers"), "keras_evil.layers.Dense"),
    "in tensorflow": (layer("Popen", "tensorflow.python.lib"), "tensorflow.python.lib.Popen"),
    "dotted name": (layer("Dense.__init__", "keras.layers"), "keras.layers.Dense.__init__"),
    "module that is no text": ({**layer("Dense"), "module": ["keras"]}, "Dense"),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "name"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_keras_is_named_and_packing_told(entry: Config, name: str) -> None:
    with pytest.raises(UnsafeModel) as caught:
        keras_config.check(model(entry), "model.keras")
    assert caught.value.message == (
        f"model.keras needs {name}, which Keras does not have. Convert it where that code is: "
        "plumbline pack MODEL --custom-objects FILE makes an archive that needs no Python code. "
        "FILE defines them or imports them; of a package that registers its classes with Keras, "
        "import PACKAGE is enough. Or write it as a graph where it was trained: "
        "model.export('saved_model'), which needs none of this."
    )


def test_of_a_package_that_was_imported_all_classes_are_known() -> None:
    """KerasHub's detectors hold a class that it does not register."""
    entry = layer("RetinaNetLabelEncoder", "keras_hub.src.models")
    keras_config.check(model(entry), "model.keras", {"keras_hub.*"})
    evil = layer("RetinaNetLabelEncoder", "keras_hub_evil")
    with pytest.raises(UnsafeModel, match=r"keras_hub_evil\.RetinaNetLabelEncoder"):
        keras_config.check(model(evil), "model.keras", {"keras_hub.*"})


def test_all_foreign_classes_are_named_at_once() -> None:
    with pytest.raises(UnsafeModel, match=r"needs a\.B, c\.D, which Keras"):
        keras_config.check(model(layer("D", "c"), layer("B", "a"), layer("D", "c")), "x")


def test_what_packing_brings_along_is_taken_but_code_is_not() -> None:
    registered = {**layer("PriorBox", None), "registered_name": "SSD>PriorBox"}
    keras_config.check(model(layer("PriorBox", "ssd"), registered), "x", {"PriorBox"})
    with pytest.raises(UnsafeModel):
        keras_config.check(model(layer("Lambda")), "x", {"Lambda"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not valid JSON"),
        ("{", "it is not valid JSON"),
        (b"\xff\xfe\x00", "it is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        ("[]", "its JSON is not an object"),
    ],
)
def test_what_is_no_config_is_an_error(text: str | bytes, reason: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        keras_config.parse(text, "model.json")
    assert caught.value.message == (
        f"model.json holds no model, which model.to_json() writes: {reason}."
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (model(), True),
        ({"class_name": "Functional", "config": {}}, True),
        ({"class_name": "MyModel", "config": {}, "registered_name": "Custom>MyModel"}, True),
        ({"class_name": "Sequential"}, False),
        ({"config": {"a": 1}}, False),
        ({"0": "cat"}, False),
        (["cat"], False),
        (None, False),
    ],
)
def test_an_architecture_is_told_from_other_json(document: object, expected: bool) -> None:
    assert keras_config.is_architecture(document) is expected


def test_layers_that_do_not_say_their_module_are_found_in_models_within_models() -> None:
    inner = model(old("L2Normalization"), layer("Dense"))
    wrapped = old("TimeDistributed", layer=old("PriorBox"))
    assert keras_config.unlabelled_layers(model(old("Conv2D"), inner, wrapped)) == {
        "Conv2D",
        "L2Normalization",
        "PriorBox",
        "Sequential",
        "TimeDistributed",
    }


def test_a_very_deep_config_is_searched_to_the_end() -> None:
    deep = old("Lambda")
    for _ in range(3000):
        deep = {"layers": [deep]}
    with pytest.raises(UnsafeModel):
        keras_config.check(deep, "x")


def test_the_message_survives_any_names() -> None:
    with pytest.raises(UnsafeModel) as caught:
        keras_config.check(model(layer('"\n', "a" * 9)), "x")
    assert json.dumps(caught.value.message)
