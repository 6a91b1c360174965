"""What a classification job may set: the names of AWS's two image classifiers, and ours.

The MXNet algorithm (`image-classification`) and its TensorFlow successor
(`image-classification-tensorflow`) have other defaults where both know a name. A job of the one
calls its channel `train`, a job of the other `training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plumbline.training.common_hyperparameters import (
    OPTIMIZATION,
    PRECISION,
    SCALING,
    SIDE,
    WEIGHTS,
    early_stopping,
    ignored,
    kept,
    size,
)
from plumbline.training.hyperparameters import (
    Table,
    choice,
    listed,
    number,
    switch,
    text,
    whole,
)
from plumbline.vision.crops import NAMED
from plumbline.vision.resize import FILTERS

FLIPS = ("none", "horizontal", "vertical", "horizontal_and_vertical")


def image_shape(given: str) -> tuple[int, int, int]:
    """Channels, height and width, as in "3,224,224"."""
    try:
        channels, height, width = map(int, given.strip("[]() ").split(","))
    except ValueError:
        channels = height = width = 0
    if channels in (1, 3) and all(8 <= side <= 4096 for side in (height, width)):
        return channels, height, width
    raise ValueError("channels (1 or 3), height and width, as in 3,224,224")


def resize(given: str) -> str | int:
    """A filter; or the shorter side, as the MXNet algorithm has it."""
    if given.isdigit():
        return int(SIDE(given))
    return str(choice(*FILTERS)(given))


def weighted(given: str) -> bool:
    """Whether rare classes count more."""
    meanings = {"balanced": "true", "none": "false"}
    return switch(meanings.get(given.lower(), given))


DATA: Table = {
    "recipe": kept(text, None, "`classification`: needed only if the channels do not determine it"),
    "task": kept(text, None, "another name of `recipe`"),
    "num_classes": kept(
        whole(2, 100_000),
        None,
        "the number of classes; counted by default, and checked where it is given",
    ),
    "multi_label": kept(switch, "false", "a picture may be of several classes"),
    "class_names": kept(
        listed(text), None, "names of the classes, where the data has only numbers: `cat,dog`"
    ),
    "label_attribute": kept(
        text, None, "which label attribute of an augmented manifest, if it has several"
    ),
    "max_bad": kept(
        number(0, 1),
        "0.01",
        "share of pictures that may be unreadable; they are named and left out",
    ),
    "validation_split": kept(
        number(0.01, 0.9),
        "0.2",
        "share of each class kept for validation, where no channel is for it",
    ),
    "seed": kept(whole(0, 2**31 - 1), "0", "of order, split, augmentation and initial weights"),
    "deterministic": kept(switch, "false", "the same weights to the bit each time"),
    "num_training_samples": ignored("the pictures are counted"),
}

PICTURES: Table = {
    "size": kept(
        size,
        None,
        "side in pixels that the network takes, or height and width: `96`, `96,128` (default 224)",
    ),
    "image_shape": kept(
        image_shape, None, "the same with channels first: `3,224,224`, or `1,32,32` for gray"
    ),
    "fit": kept(
        choice(*NAMED), "stretch", "how a picture is fitted to that size ([archive.md](archive.md))"
    ),
    "resize": kept(
        resize,
        "pillow-bilinear",
        "the filter ([archive.md](archive.md)); a number is the shorter side before a centre crop",
    ),
    **SCALING,
    "augmentation_type": kept(
        choice("none", "crop", "crop_color", "crop_color_transform"),
        "none",
        "`crop` flips and shifts, `crop_color` also changes colors, `crop_color_transform` also "
        "rotates, shears and zooms",
    ),
    "augmentation": kept(switch, "false", "flip, rotate and zoom at random, by the next three"),
    "augmentation_random_flip": kept(
        choice(*FLIPS), "horizontal_and_vertical", "`none`, `horizontal`, `vertical` or both"
    ),
    "augmentation_random_rotation": kept(
        number(0, 1), "0.2", "maximum rotation, as a fraction of a full turn"
    ),
    "augmentation_random_zoom": kept(
        number(0, 0.9), "0.1", "maximum zoom, as a fraction of the size"
    ),
}

NETWORK: Table = {
    "network": kept(text, None, "see [networks](#networks)"),
    "num_layers": kept(whole(18, 200), None, "number of layers of the residual network"),
    **WEIGHTS,
    "dropout_rate": kept(
        number(0, 0.95), "0", "share of features dropped before the last layer", "dropout"
    ),
    **PRECISION,
}

LEARNING: Table = {
    "epochs": kept(whole(1, 100_000), "30", "number of epochs; the model of the best one is kept"),
    "batch_size": kept(whole(1, 65_536), "32", "pictures in a step", "mini_batch_size"),
    **OPTIMIZATION,
    "label_smoothing": kept(number(0, 0.5), "0", "share of each target that goes to all classes"),
    "use_weighted_loss": kept(
        weighted,
        "false",
        "pictures of rare classes count more (`balanced` of scikit-learn)",
        "class_weights",
    ),
    "top_k": kept(whole(2, 1000), None, "report top-k accuracy, too"),
    **early_stopping("the accuracy in validation"),
    "checkpoint_frequency": ignored(
        "a checkpoint is written after each epoch and every two minutes"
    ),
    "eval_metric": ignored("the best epoch is that of the best accuracy in validation"),
    "binary_mode": ignored("two classes have two scores, like any others"),
    "initial_accumulator_value": ignored("Keras's own is taken"),
    "kv_store": ignored("a job has one machine"),
}

TABLE: Table = {**DATA, **PICTURES, **NETWORK, **LEARNING}

SUCCESSOR = {
    "optimizer": "adam",
    "learning_rate": "0.001",
    "dropout_rate": "0.2",
    "label_smoothing": "0.1",
    "eps": "1e-7",
    "gamma": "0.95",
    "early_stopping_min_epochs": "0",
}
"""Defaults of the TensorFlow algorithm. It fine-tunes for 3 epochs; here the 30 of the other stay,
as a network may start from nothing.
"""

SUCCESSORS_CHANNEL = "training"


def table_for(channels: Mapping[str, Any]) -> Table:
    """The table with the defaults of the algorithm that has these channels."""
    if SUCCESSORS_CHANNEL not in channels:
        return TABLE
    return {
        name: replace(entry, default=SUCCESSOR.get(name, entry.default))
        for name, entry in TABLE.items()
    }
