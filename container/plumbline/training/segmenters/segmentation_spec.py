"""What a job's hyperparameters say of its pictures and its network, as plumbline.toml."""

from __future__ import annotations

from plumbline.spec.toml_writer import toml_table, toml_value
from plumbline.training import common_hyperparameters, finished_model
from plumbline.training.hyperparameters import Values
from plumbline.training.networks import u_net

TASK = "segmentation"

SIDE = 240
"""Pixels, where nothing says how large pictures are to be, or the next multiple that fits."""


def declare(values: Values) -> tuple[str, str]:
    """The text of plumbline.toml, and the network's name. Raises `HyperparameterError`."""
    name = u_net.chosen(values["network"])
    known = u_net.SEGMENTERS[name]
    side = -(-SIDE // known.step) * known.step
    size = values["size"] or (side, side)
    u_net.check_size(name, size)
    resize, normalize = values["resize"], values["normalize"] or known.normalize
    if values["image_resize_interpolation"]:
        resize = common_hyperparameters.INTERPOLATIONS[values["image_resize_interpolation"]]
    if values["color"] == "gray" and normalize in ("torch", "caffe"):
        normalize = "unit"
    preprocess = {
        "color": values["color"],
        "size": list(size),
        "fit": values["fit"],
        "resize": resize,
        "normalize": normalize,
    }
    top = [f"task = {toml_value(TASK)}", f"labels = {toml_value(finished_model.LABELS)}"]
    tables = [
        toml_table("model", {"path": finished_model.SAVED_MODEL}),
        toml_table("preprocess", preprocess),
        toml_table("segmentation", {"activation": "softmax"}),
    ]
    return "\n\n".join(["\n".join(top), *tables]) + "\n", name
