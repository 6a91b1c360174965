"""A config of Keras 1 (2015 to 2017) in the words of Keras 2, which had other names for the same.

The weights need no change where pictures are `[height, width, channels]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Config = dict[str, Any]

CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "Convolution1D": "Conv1D",
        "Convolution2D": "Conv2D",
        "AtrousConvolution2D": "Conv2D",
        "SeparableConvolution2D": "SeparableConv2D",
    }
)

RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "nb_filter": "filters",
        "output_dim": "units",
        "border_mode": "padding",
        "subsample": "strides",
        "atrous_rate": "dilation_rate",
        "init": "kernel_initializer",
        "depthwise_init": "depthwise_initializer",
        "pointwise_init": "pointwise_initializer",
        "bias": "use_bias",
        "p": "rate",
    }
)

DROPPED = frozenset(
    {
        "W_regularizer", "b_regularizer", "activity_regularizer", "gamma_regularizer",
        "beta_regularizer", "W_constraint", "b_constraint", "depthwise_regularizer",
        "pointwise_regularizer", "depthwise_constraint", "pointwise_constraint", "input_dim",
        "input_dtype", "nb_row", "nb_col", "filter_length", "subsample_length", "dim_ordering",
        "mode", "concat_axis", "dot_axes", "sparsity", "weights", "output_shape_type",
    }
)  # fmt: skip
"""What matters for training alone, or is translated by its own rule below."""

MARKS = frozenset({"nb_filter", "border_mode", "dim_ordering", "W_regularizer", "W_constraint"})
"""Keys that only Keras 1 wrote."""

ORDERINGS = {"tf": "channels_last", "th": "channels_first"}

MERGES: Mapping[str, str] = MappingProxyType(
    {
        "sum": "Add",
        "mul": "Multiply",
        "ave": "Average",
        "max": "Maximum",
        "concat": "Concatenate",
    }
)


def layers_of(config: Config) -> list[Any]:
    """The layers of a model; Sequential listed them without a name around them."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    return layers if isinstance(layers, list) else []


def is_keras1(config: Config) -> bool:
    """Whether a layer, nested ones included, has keys that only Keras 1 wrote."""
    for layer in layers_of(config):
        inner = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(inner, dict) and MARKS.intersection(inner):
            return True
        if isinstance(layer, dict) and is_keras1(layer):
            return True
    return False


def modern(config: Config) -> Config:
    """The same model, as Keras 2 describes it."""
    inner = config.get("config")
    layers = [modern_layer(layer) for layer in layers_of(config)]
    return {**config, "config": {**inner, "layers": layers} if isinstance(inner, dict) else layers}


def modern_layer(layer: Config) -> Config:
    """One layer, or a model that serves as one."""
    if layers_of(layer):
        return modern(layer)
    old = layer.get("config", {})
    name = layer.get("class_name", "")
    if name == "Merge":
        name = MERGES.get(old.get("mode"), name)
    new = {RENAMED.get(key, key): value for key, value in old.items() if key not in DROPPED}
    for rule in RULES:
        new.update(rule(old))
    return {**layer, "class_name": CLASSES.get(name, name), "config": new}


def kernel(old: Config) -> Config:
    """Rows and columns, which were two keys."""
    if "nb_row" in old:
        return {"kernel_size": [old["nb_row"], old["nb_col"]]}
    if "filter_length" in old:
        return {"kernel_size": old["filter_length"], "strides": old.get("subsample_length", 1)}
    return {}


def ordering(old: Config) -> Config:
    """Where the channels are."""
    return {"data_format": ORDERINGS[old["dim_ordering"]]} if "dim_ordering" in old else {}


def axis(old: Config) -> Config:
    """Along which axis a Merge joined its inputs."""
    return {"axis": old.get("concat_axis", -1)} if old.get("mode") == "concat" else {}


def input_shape(old: Config) -> Config:
    """The shape that a first Dense took as one number."""
    if old.get("input_dim") and "batch_input_shape" not in old:
        return {"batch_input_shape": [None, old["input_dim"]]}
    return {}


RULES: tuple[Callable[[Config], Config], ...] = (kernel, ordering, axis, input_shape)
"""What takes more than another name."""
