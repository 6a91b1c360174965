"""What a job's hyperparameters say of its pictures and its network, as plumbline.toml."""

from __future__ import annotations

from plumbline.spec.toml_writer import toml_table, toml_value
from plumbline.training import common_hyperparameters, finished_model
from plumbline.training.hyperparameters import Values
from plumbline.training.networks import network_table

TASK = "detection"

SIDE = 300
"""Pixels, where nothing says how large pictures are to be."""

LAPTOP_SIDE = 192
"""Up to so many pixels the network that learns fast is chosen."""


def size_of(values: Values) -> tuple[int, int]:
    """Height and width of the network's input."""
    height, width = values["size"] or values["image_shape"] or (SIDE, SIDE)
    return height, width


def network_of(values: Values) -> str:
    """The backbone's name. Raises `HyperparameterError` for one that is not known."""
    small = max(size_of(values)) <= LAPTOP_SIDE
    name = values["base_network"] or ("tinymobilenet" if small else "mobilenetv2")
    return network_table.chosen(name, None, size_of(values))


def declare(values: Values, background: int) -> str:
    """The text of plumbline.toml; the background is the class behind all others."""
    resize = values["resize"]
    if values["image_resize_interpolation"]:
        resize = common_hyperparameters.INTERPOLATIONS[values["image_resize_interpolation"]]
    normalize = values["normalize"] or network_table.NETWORKS[network_of(values)].normalize
    preprocess = {
        "color": "rgb",
        "size": list(size_of(values)),
        "fit": values["fit"],
        "resize": resize,
        "normalize": normalize,
    }
    detection = {
        "format": "ssd",
        "background": background,
        "score_threshold": values["score_threshold"],
        "nms_iou": values["nms_threshold"],
    }
    top = [f"task = {toml_value(TASK)}", f"labels = {toml_value(finished_model.LABELS)}"]
    tables = [
        toml_table("model", {"path": finished_model.SAVED_MODEL}),
        toml_table("preprocess", preprocess),
        toml_table("detection", detection),
    ]
    return "\n\n".join(["\n".join(top), *tables]) + "\n"
