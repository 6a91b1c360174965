"""Keras 1's words → Keras 2's."""

from __future__ import annotations

from typing import Any

import pytest

from plumbline.archive.keras1 import is_keras1, modern

Config = dict[str, Any]


def translated(name: str, /, **settings: Any) -> tuple[str, Config]:
    """Class and settings of one layer, in Keras 2's words."""
    config = {"class_name": "Sequential", "config": [{"class_name": name, "config": settings}]}
    (layer,) = modern(config)["config"]
    return layer["class_name"], layer["config"]


def test_a_convolution() -> None:
    assert translated(
        "Convolution2D",
        name="c",
        nb_filter=8,
        nb_row=3,
        nb_col=5,
        border_mode="same",
        subsample=[2, 1],
        dim_ordering="tf",
        init="he_normal",
        activation="relu",
        bias=False,
        W_regularizer={"name": "WeightRegularizer", "l2": 0.1},
        b_constraint=None,
    ) == (
        "Conv2D",
        {
            "name": "c",
            "filters": 8,
            "kernel_size": [3, 5],
            "padding": "same",
            "strides": [2, 1],
            "data_format": "channels_last",
            "kernel_initializer": "he_normal",
            "activation": "relu",
            "use_bias": False,
        },
    )


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("Dense", {"output_dim": 10, "input_dim": 5},
         ("Dense", {"units": 10, "batch_input_shape": [None, 5]})),
        ("Dropout", {"p": 0.5}, ("Dropout", {"rate": 0.5})),
        ("AtrousConvolution2D", {"atrous_rate": [2, 2], "nb_row": 3, "nb_col": 3},
         ("Conv2D", {"dilation_rate": [2, 2], "kernel_size": [3, 3]})),
        ("Convolution1D", {"filter_length": 3, "subsample_length": 2, "nb_filter": 4},
         ("Conv1D", {"filters": 4, "kernel_size": 3, "strides": 2})),
        ("SeparableConvolution2D", {"depthwise_init": "uniform"},
         ("SeparableConv2D", {"depthwise_initializer": "uniform"})),
        ("BatchNormalization", {"mode": 0, "axis": -1}, ("BatchNormalization", {"axis": -1})),
        ("MaxPooling2D", {"border_mode": "valid", "dim_ordering": "th"},
         ("MaxPooling2D", {"padding": "valid", "data_format": "channels_first"})),
        ("Merge", {"mode": "sum", "concat_axis": -1}, ("Add", {})),
        ("Merge", {"mode": "concat", "concat_axis": 3}, ("Concatenate", {"axis": 3})),
        ("LeakyReLU", {"alpha": 0.1}, ("LeakyReLU", {"alpha": 0.1})),
    ],
)  # fmt: skip
def test_other_layers(name: str, settings: Config, expected: tuple[str, Config]) -> None:
    assert translated(name, **settings) == expected


def test_models_within_models_and_their_wiring() -> None:
    inner = {"class_name": "Sequential", "config": [{"class_name": "Dropout", "config": {"p": 1}}]}
    outer = {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [{**inner, "name": "s", "inbound_nodes": [[["input", 0, 0]]]}],
            "output_layers": [["s", 0, 0]],
        },
    }
    assert modern(outer) == {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [
                {
                    "class_name": "Sequential",
                    "config": [{"class_name": "Dropout", "config": {"rate": 1}}],
                    "name": "s",
                    "inbound_nodes": [[["input", 0, 0]]],
                }
            ],
            "output_layers": [["s", 0, 0]],
        },
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"config": [{"class_name": "Convolution2D", "config": {"nb_filter": 3}}]}, True),
        ({"config": {"layers": [{"config": [{"config": {"border_mode": "same"}}]}]}}, True),
        ({"config": [{"class_name": "Conv2D", "config": {"filters": 3}}]}, False),
        ({"config": [{"class_name": "Embedding", "config": {"output_dim": 3}}]}, False),
        ({"config": {"layers": "none"}}, False),
        ({"config": [None, 3]}, False),
        ({}, False),
    ],
)
def test_keras_1_is_told_by_its_words(config: Config, expected: bool) -> None:
    assert is_keras1(config) is expected
