"""Hyperparameters that several recipes have: scaling, precision, the optimizer, the end."""

from __future__ import annotations

from typing import Any

from plumbline.training.hyperparameters import (
    Hyperparameter,
    Table,
    choice,
    listed,
    number,
    switch,
    text,
    whole,
)
from plumbline.vision.normalize import NORMALIZATIONS

SIDE = whole(8, 4096)

INTERPOLATIONS = {
    "nearest": "tensorflow-nearest",
    "bilinear": "tensorflow-bilinear",
    "bicubic": "tensorflow-bicubic",
    "area": "tensorflow-area",
}
"""The successor's names of filters."""

OPTIMIZERS = ("sgd", "nag", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adadelta")


def size(given: str) -> tuple[int, int]:
    """Height and width, or one number for both."""
    try:
        sides = listed(SIDE)(given)
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2):
        raise ValueError("one side in pixels, as in 224, or height and width, as in 224,320")
    return sides[0], sides[-1]


def kept(read: Any, default: str | None, told: str, *aliases: str) -> Hyperparameter:
    """One that means something here."""
    return Hyperparameter(read, default, told, aliases=aliases)


def ignored(why: str) -> Hyperparameter:
    """One that is accepted and changes nothing."""
    return Hyperparameter(text, None, f"ignored: {why}", without_meaning=why)


def three_way(given: str) -> bool | None:
    """True, false, or what fits."""
    return None if given.lower() == "auto" else switch(given)


WEIGHTS: Table = {
    "use_pretrained_model": kept(
        switch,
        "false",
        "start from the weights in the channel `model`; with that channel, the default",
    ),
    "train_only_on_top_layer": kept(switch, "false", "train the last layer only"),
    "freeze": kept(text, None, "layers that are not trained: a regular expression for their names"),
    "reinitialize_top_layer": kept(
        three_way,
        "auto",
        "the last layer starts at random; `auto`: where the number of classes differs",
    ),
}

SCALING: Table = {
    "image_resize_interpolation": kept(
        choice(*INTERPOLATIONS),
        None,
        "the filter by TensorFlow's name: `nearest`, `bilinear`, `bicubic`, `area`",
    ),
    "normalize": kept(
        choice(*NORMALIZATIONS),
        None,
        "how values are scaled ([archive.md](archive.md)); by default as the network was published",
    ),
}

PRECISION: Table = {
    "mixed_precision": kept(
        choice("none", "mixed_float16", "mixed_bfloat16"),
        "none",
        "`mixed_float16` or `mixed_bfloat16`, for GPUs; the model is served in float32",
    ),
    "precision_dtype": kept(
        choice("float32", "float16"), "float32", "`float16` is `mixed_float16`"
    ),
}

OPTIMIZATION: Table = {
    "optimizer": kept(choice(*OPTIMIZERS), "sgd", ", ".join(f"`{name}`" for name in OPTIMIZERS)),
    "learning_rate": kept(number(1e-9, 100), "0.1", "initial learning rate"),
    "learning_rate_schedule": kept(
        choice("step", "cosine", "constant"), "step", "`step`, `cosine` or `constant`"
    ),
    "lr_scheduler_step": kept(
        listed(whole(0, 100_000)),
        "",
        "epochs after which the learning rate is multiplied by the next: `10,20`",
    ),
    "lr_scheduler_factor": kept(number(0, 1), "0.1", "factor of a step"),
    "warm_up_epochs": kept(
        number(0, 1000), "0", "epochs in which the learning rate rises to its initial value"
    ),
    "momentum": kept(number(0, 0.9999), "0.9", "of sgd, nag and rmsprop"),
    "weight_decay": kept(
        number(0, 1),
        "0.0001",
        "decoupled weight decay; biases and normalization have none",
        "regularizers_l2",
    ),
    "beta_1": kept(number(0, 0.9999), "0.9", "of adam"),
    "beta_2": kept(number(0, 0.99999), "0.999", "of adam"),
    "eps": kept(number(1e-12, 1), "1e-8", "of adam, rmsprop and adagrad", "epsilon"),
    "gamma": kept(number(0, 0.9999), "0.9", "of rmsprop and adadelta", "rho"),
}


def early_stopping(measure: str) -> Table:
    """When training ends before its last epoch, by a measure in words."""
    return {
        "early_stopping": kept(switch, "false", f"end when {measure} no longer gets better"),
        "early_stopping_min_epochs": kept(whole(0, 100_000), "10", "minimum number of epochs"),
        "early_stopping_patience": kept(
            whole(0, 100_000), "5", "training stops after more epochs than this without improvement"
        ),
        "early_stopping_tolerance": kept(
            number(0, 1),
            "0",
            "improvement that counts, as a share of the best",
            "early_stopping_min_delta",
        ),
    }
