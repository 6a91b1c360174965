"""A Keras model's config (JSON) → the code and the foreign classes in it, found before Keras is.

Keras builds a model by calling whatever its config names. Nothing here calls anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from plumbline.archive.json_files import parse_json
from plumbline.errors import ArchiveError, UnsafeModel

Config = dict[str, Any]
"""One object of a config: usually `class_name`, `config` and, since Keras 2.12, `module`."""

MODELS = frozenset({"Sequential", "Functional", "Model"})
"""What the architecture of a model may be at its top."""

TF_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda", "ClassMethod", "TensorFlowOpLayer"})
"""What Keras 2 makes of TensorFlow functions that are called between layers."""

OWN_ROOTS = frozenset({"keras", "tf_keras"})
"""The packages that a `module` may lie in, beside Python's builtins."""

TF_INITIALIZERS = ("tensorflow.python.ops.init_ops_v2", "tensorflow.python.ops.init_ops")
"""Where TensorFlow's own initializers lie, which some networks of Keras 2 name."""

BUILDING_BLOCKS = frozenset(
    {
        "activations", "applications", "constraints", "dtype_policies", "engine", "initializers",
        "layers", "losses", "metrics", "mixed_precision", "models", "ops", "optimizers",
        "regularizers", "random", "backend", "quantizers",
    }
)  # fmt: skip
"""The subpackages of Keras that models are made of; others can fetch, write or import."""

CODE_LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "Lambda": "a Lambda layer, which is Python code",
        "__lambda__": "a Python lambda",
        "TFSMLayer": "a TFSMLayer, which loads another model",
        "TorchModuleWrapper": "a TorchModuleWrapper, which unpickles",
        "JaxLayer": "a JaxLayer, which is Python code",
        "FlaxLayer": "a FlaxLayer, which is Python code",
    }
)

TF_NAMESPACES = frozenset({"math", "nn", "image", "linalg", "signal", "bitwise", "__operators__"})
"""Where the functions of a TFOpLambda may come from; TensorFlow's others reach files and Python."""

TF_FUNCTIONS = frozenset(
    {
        "abs", "add", "add_n", "argmax", "argmin", "argsort", "broadcast_to", "cast",
        "clip_by_value", "concat", "cos", "cumsum", "divide", "equal", "exp", "expand_dims",
        "fill", "floor", "gather", "gather_nd", "greater", "identity", "less", "logical_and",
        "logical_not", "logical_or", "matmul", "maximum", "minimum", "multiply", "negative",
        "norm", "one_hot", "ones", "ones_like", "pad", "pow", "range", "rank", "reduce_all",
        "reduce_any", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum",
        "repeat", "reshape", "reverse", "round", "shape", "sigmoid", "sign", "sin", "slice",
        "sort", "space_to_batch", "split", "sqrt", "square", "squeeze", "stack",
        "stop_gradient", "strided_slice", "subtract", "tanh", "tensordot", "tile", "transpose",
        "unstack", "where", "zeros", "zeros_like",
    }
)  # fmt: skip

TF_FILE_OPS = ("File", "PyFunc", "Save", "Restore", "Dataset", "Iterator", "Library", "Remote")
"""Words in the names of graph operations that leave the graph."""

ALL = ".*"
"""Behind the name of a package: all that it has."""

TRY_PACK = (
    "Convert it where that code is: plumbline pack MODEL --custom-objects FILE makes an archive "
    "that needs no Python code. FILE defines them or imports them; of a package that registers its "
    "classes with Keras, import PACKAGE is enough. Or write it as a graph where it was trained: "
    "model.export('saved_model'), which needs none of this."
)

PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "autokeras": "autokeras",
        "keras_cv": "keras-cv",
        "keras_hub": "keras-hub",
        "keras_nlp": "keras-nlp",
        "tensorflow_addons": "tensorflow-addons",
    }
)
"""Packages that register their classes with Keras, and what pip calls them."""

TRY_PACKAGE = (
    "They are of {package}: pip install {installed} beside plumbline, write the line "
    "import {package} into objects.py, and "
    "plumbline pack {source} --custom-objects objects.py makes an archive that needs no Python "
    "code. Or write it as a graph where it was trained: model.export('saved_model'), which needs "
    "none of this."
)

EXPORT_THERE = (
    "Where the model was trained, model.export('saved_model') may write one, which can be packed."
)

TRY_EXPORT = (
    "Build the model without it, or export it where it was trained: model.export('saved_model') "
    "writes a SavedModel, which is a graph and no code."
)


def parse(text: str | bytes, source: str) -> Config:
    """The config in a JSON text. Raises `ArchiveError`; `source` names the file."""
    document = parse_json(
        text, source, "holds no model, which model.to_json() writes: it is not valid JSON"
    )
    if not isinstance(document, dict):
        raise ArchiveError(
            f"{source} holds no model, which model.to_json() writes: its JSON is not an object."
        )
    return document


def is_architecture(document: object) -> bool:
    """Whether this JSON is the architecture of a Keras model, as `model.to_json()` writes it."""
    return (
        isinstance(document, dict)
        and "config" in document
        and (document.get("class_name") in MODELS or "registered_name" in document)
    )


def untrained(config: Config) -> Config:
    """The config without how the model was trained: losses and metrics may be the user's own."""
    return {key: value for key, value in config.items() if key != "compile_config"}


def check(config: Config, source: str, custom: Collection[str] = ()) -> None:
    """Raise `UnsafeModel` if the config holds code or names what is not Keras's own.

    `custom` names the classes and functions that whoever loads the model has brought along.
    """
    entries = list(objects(config))
    code = sorted({reason for entry in entries for find in FINDERS if (reason := find(entry))})
    if code:
        raise UnsafeModel(
            f"{source} is refused, because code in model files is never run, and it holds "
            f"{', '.join(code)}. {TRY_EXPORT}"
        )
    foreign = sorted({name for entry in entries if (name := foreign_name(entry, custom))})
    if foreign:
        raise UnsafeModel(custom_classes(source, foreign))


def custom_classes(source: str, names: list[str]) -> str:
    """The sentence about classes and functions that are not Keras's own."""
    packages = {re.split("[.>]", name)[0] for name in names}
    package = packages.pop() if len(packages) == 1 else ""
    if package not in PACKAGES:
        return f"{source} needs {', '.join(names)}, which Keras does not have. {TRY_PACK}"
    said = ", ".join(name.rpartition(".")[2] for name in names)
    way_out = TRY_PACKAGE.format(package=package, installed=PACKAGES[package], source=source)
    return f"{source} needs {said}, which Keras does not have. {way_out}"


def objects(config: object) -> Iterator[Config]:
    """Every JSON object in the config, however deep."""
    waiting = [config]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def text(entry: Config, key: str) -> str:
    """The text at this key, or "" if it is none."""
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def inner(entry: Config) -> Config:
    """The `config` of an object, or {} if it has none."""
    value = entry.get("config")
    return value if isinstance(value, dict) else {}


def code_layer(entry: Config) -> str | None:
    """A layer that is code, by whatever package it is registered in."""
    names = (text(entry, "class_name"), text(entry, "registered_name").rpartition(">")[2])
    return next((CODE_LAYERS[name] for name in names if name in CODE_LAYERS), None)


def serialized_function(entry: Config) -> str | None:
    """Bytecode, as Lambda and the wrappers of RNN cells keep it beside a type."""
    types = [text(entry, key) for key in entry if key.endswith(("function_type", "fn_type"))]
    return "Python bytecode" if {"lambda", "raw"}.intersection(types) else None


def tensorflow_function(entry: Config) -> str | None:
    """A call of a TensorFlow function that is not plain arithmetic."""
    if text(entry, "class_name") not in TF_LAYERS - {"TensorFlowOpLayer"}:
        return None
    name = text(inner(entry), "function") or text(inner(entry), "symbol")
    plain = name.removeprefix("compat.v1.").removeprefix("compat.v2.")
    space, _, last = plain.rpartition(".")
    if space in TF_NAMESPACES or (not space and last in TF_FUNCTIONS):
        return None
    return f"a call of TensorFlow's {name!r}"


def graph_operation(entry: Config) -> str | None:
    """A node of a graph that reads, writes or calls Python."""
    if text(entry, "class_name") != "TensorFlowOpLayer":
        return None
    node = inner(entry).get("node_def")
    described = json.dumps(node)
    return "a TensorFlow operation on files" if any(w in described for w in TF_FILE_OPS) else None


def vocabulary_file(entry: Config) -> str | None:
    """A lookup layer that would read a file of the server."""
    name = text(inner(entry), "vocabulary")
    return f"a vocabulary that is a file ({name!r})" if name else None


FINDERS: tuple[Callable[[Config], str | None], ...] = (
    code_layer,
    serialized_function,
    tensorflow_function,
    graph_operation,
    vocabulary_file,
)
"""What counts as code: each says what it found in one object, or None."""


def foreign_name(entry: Config, custom: Collection[str] = ()) -> str | None:
    """The class or function that an object names, if it is not one that models are made of."""
    if "class_name" not in entry or "module" not in entry:
        return None  # data, or an old file's layer, which Keras looks up among its own
    module, registered = text(entry, "module"), text(entry, "registered_name")
    name = text(entry, "config" if entry["class_name"] == "function" else "class_name")
    brought = {name, registered.rpartition(">")[2], f"{module.partition('.')[0]}{ALL}"}
    if brought.intersection(custom) or is_own(module, name):
        return None
    return f"{module}.{name}" if module else registered or name


def is_own(module: str, name: str) -> bool:
    """Whether a module and a name in it are a building block of Keras."""
    if name == "__typespec__":  # a shape and a dtype, described in TensorFlow's words
        return module.startswith("tensorflow.python.framework.")
    if module in TF_INITIALIZERS:
        return name.isidentifier() and name[0].isupper()
    root, *rest = [part for part in module.split(".") if part != "src"]
    if root == "builtins":
        return not rest and name.isidentifier()
    return root in OWN_ROOTS and (not rest or rest[0] in BUILDING_BLOCKS) and name.isidentifier()


def unlabelled_layers(config: Config) -> set[str]:
    """The classes of the layers that don't say their module, nested and wrapped ones too."""
    listed = [inner(entry).get("layers") for entry in objects(config)]
    layers = [layer for layers in listed if isinstance(layers, list) for layer in layers]
    wrapped = [inner(layer).get("layer") for layer in layers if isinstance(layer, dict)]
    found = [layer for layer in (*layers, *wrapped) if isinstance(layer, dict)]
    return {text(layer, "class_name") for layer in found if "module" not in layer} - {""}
