"""What a detection job may set: the names of AWS's two object detectors, and ours.

The MXNet algorithm (`object-detection`) and its TensorFlow successor
(`object-detection-tensorflow`) have other defaults where both know a name. A job of the one calls
its channel `train`, a job of the other `training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plumbline.training.common_hyperparameters import (
    OPTIMIZATION,
    PRECISION,
    SCALING,
    WEIGHTS,
    early_stopping,
    ignored,
    kept,
    size,
)
from plumbline.training.hyperparameters import Table, choice, listed, number, switch, text, whole
from plumbline.vision.fit import FITS
from plumbline.vision.resize import FILTERS

FLIPS = ("none", "horizontal", "vertical", "horizontal_and_vertical")


def image_shape(given: str) -> tuple[int, int]:
    """Height and width: of one number, or of channels, height and width."""
    parts = given.strip("[]() ").split(",")
    try:
        return size(",".join(parts[1:]) if len(parts) == 3 and int(parts[0]) == 3 else given)
    except ValueError:
        raise ValueError("one side in pixels, as in 300, or 3,300,300") from None


DATA: Table = {
    "recipe": kept(text, None, "`detection`: needed only if the channels do not determine it"),
    "task": kept(text, None, "another name of `recipe`"),
    "num_classes": kept(
        whole(1, 10_000),
        None,
        "the number of classes, without a background; counted by default",
    ),
    "class_names": kept(
        listed(text), None, "names of the classes, where the data has only numbers: `cat,dog`"
    ),
    "label_attribute": kept(
        text, None, "which label attribute of an augmented manifest, if it has several"
    ),
    "max_bad": kept(
        number(0, 1),
        "0.01",
        "share of pictures that may be unreadable or wrongly annotated; they are named and left "
        "out",
    ),
    "validation_split": kept(
        number(0.01, 0.9),
        "0.2",
        "share of the pictures kept for validation, where no channel is for it",
    ),
    "seed": kept(whole(0, 2**31 - 1), "0", "of order, split, priors, augmentation and weights"),
    "deterministic": kept(switch, "false", "the same weights to the bit each time"),
    "num_training_samples": ignored("the pictures are counted"),
    "label_width": ignored("the width is read from the data"),
}

PICTURES: Table = {
    "size": kept(
        size, None, "side in pixels that the network takes, or height and width (default 300)"
    ),
    "image_shape": kept(image_shape, None, "the same: `300`, or `3,300,300`"),
    "fit": kept(
        choice(*FITS), "stretch", "how a picture is fitted to that size ([archive.md](archive.md))"
    ),
    "resize": kept(choice(*FILTERS), "pillow-bilinear", "the filter ([archive.md](archive.md))"),
    **SCALING,
    "augmentation_type": kept(
        choice("none", "crop", "crop_color"),
        "crop_color",
        "`crop` shows parts of pictures, of which at least one box is whole, or makes pictures "
        "smaller; `crop_color` also changes colors",
    ),
    "augmentation_random_flip": kept(
        choice(*FLIPS),
        None,
        "`none`, `horizontal`, `vertical` or both (`horizontal_and_vertical`); by default "
        "`horizontal`, but `none` with `augmentation_type=none`",
    ),
}

NETWORK: Table = {
    "base_network": kept(
        text,
        None,
        "the backbone: `resnet-50`, `vgg-16`, `mobilenetv2`, `tinymobilenet` or another of the "
        "[networks](#networks) with maps of 8 pixels a cell; by default `tinymobilenet` up to 192 "
        "pixels, `mobilenetv2` for more",
        "network",
    ),
    "priors": kept(
        whole(1, 64), "9", "shapes of priors, which are found in the boxes to learn from"
    ),
    **WEIGHTS,
    "train_only_on_top_layer": replace(
        WEIGHTS["train_only_on_top_layer"], help="train only the layers after the backbone"
    ),
    "freeze": replace(WEIGHTS["freeze"], aliases=("freeze_layer_pattern",)),
    "reinitialize_top_layer": replace(
        WEIGHTS["reinitialize_top_layer"],
        help="the layers after the backbone start from random weights; `auto`: if they do not fit",
    ),
    **PRECISION,
}

LEARNING: Table = {
    "epochs": kept(whole(1, 100_000), "30", "number of epochs; the model of the best one is kept"),
    "batch_size": kept(whole(1, 65_536), "32", "pictures in a step", "mini_batch_size"),
    **OPTIMIZATION,
    "learning_rate": replace(OPTIMIZATION["learning_rate"], default="0.001"),
    "weight_decay": replace(OPTIMIZATION["weight_decay"], default="0.0005"),
    "overlap_threshold": kept(
        number(0.1, 0.95), "0.5", "minimum overlap (IoU) at which a prior is matched to a box"
    ),
    "nms_threshold": kept(
        number(0, 1),
        "0.45",
        "overlap (IoU) above which the lower-scoring of two boxes of a class is dropped, in "
        "validation and at the endpoint",
    ),
    "score_threshold": kept(
        number(0, 1), "0.2", "the endpoint returns only boxes with a higher score"
    ),
    **early_stopping("the mAP in validation"),
    "initial_accumulator_value": ignored("Keras's own is taken"),
    "kv_store": ignored("a job has one machine"),
}

TABLE: Table = {**DATA, **PICTURES, **NETWORK, **LEARNING}

SUCCESSOR = {"batch_size": "3", "optimizer": "adam"}
"""Defaults of the TensorFlow algorithm. It fine-tunes for 5 epochs; here the 30 of the other stay,
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
