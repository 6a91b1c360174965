"""What a job's hyperparameters say of its pictures and its network, as plumbline.toml."""

from __future__ import annotations

from plumbline.spec.toml_writer import toml_table, toml_value
from plumbline.training import common_hyperparameters, finished_model
from plumbline.training.hyperparameters import Values
from plumbline.training.networks import network_table

TASK = "classification"

SIDE = 224
"""Pixels, where nothing says how large pictures are to be."""


def declare(values: Values) -> tuple[str, str]:
    """The text of plumbline.toml, and the network's name. Raises `HyperparameterError`."""
    channels, *shape = values["image_shape"] or (3, SIDE, SIDE)
    size = tuple(values["size"] or shape)
    name = network_table.chosen(values["network"], values["num_layers"], (size[0], size[1]))
    resize, fit = values["resize"], values["fit"]
    if isinstance(resize, int):
        fit, resize = {"shorter_side": resize}, "pillow-bilinear"
    if values["image_resize_interpolation"]:
        resize = common_hyperparameters.INTERPOLATIONS[values["image_resize_interpolation"]]
    normalize = values["normalize"] or network_table.NETWORKS[name].normalize
    if channels == 1 and normalize in ("torch", "caffe"):
        normalize = "unit"
    preprocess = {
        "color": "gray" if channels == 1 else "rgb",
        "size": list(size),
        "fit": fit,
        "resize": resize,
        "normalize": normalize,
    }
    several = values["multi_label"]
    scores = {"activation": "sigmoid", "threshold": 0.5} if several else {"activation": "softmax"}
    top = [
        f"task = {toml_value(TASK)}",
        f"labels = {toml_value(finished_model.LABELS)}",
    ]
    tables = [
        toml_table("model", {"path": finished_model.SAVED_MODEL}),
        toml_table("preprocess", preprocess),
        toml_table("classification", scores),
    ]
    return "\n\n".join(["\n".join(top), *tables]) + "\n", name
