"""What a segmentation job may set: the names of AWS's semantic segmentation, and ours."""

from __future__ import annotations

from dataclasses import replace

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
from plumbline.training.seeded_layers import TYPES
from plumbline.vision.crops import NAMED
from plumbline.vision.resize import FILTERS

MOST_CLASSES = 254
"""A mask has 255 values for them, and the algorithm takes one for itself."""

DATA: Table = {
    "recipe": kept(text, None, "`segmentation`: needed only if the channels do not determine it"),
    "task": kept(text, None, "another name of `recipe`"),
    "num_classes": kept(
        whole(2, MOST_CLASSES),
        None,
        "the number of classes; counted in the masks by default, and checked where it is given",
    ),
    "class_names": kept(listed(text), None, "names of the classes: `sky,road,car`"),
    "label_attribute": kept(
        text, None, "which label attribute of an augmented manifest, if it has several"
    ),
    "max_bad": kept(
        number(0, 1),
        "0.01",
        "share of pictures that may be unreadable, or have masks that can't be used; they are "
        "named and left out",
    ),
    "validation_split": kept(
        number(0.01, 0.9), "0.2", "share kept for validation, where no channel is for it"
    ),
    "seed": kept(whole(0, 2**31 - 1), "0", "of order, split, augmentation and initial weights"),
    "deterministic": kept(switch, "false", "the same weights to the bit each time"),
    "num_training_samples": ignored("the pictures are counted"),
}

PICTURES: Table = {
    "size": kept(
        size,
        None,
        "side in pixels that the network takes, or height and width: `256`, `256,320`; multiples "
        "of 16, or 32 behind another encoder (default 240, or 256)",
        "crop_size",
    ),
    "color": kept(choice("rgb", "gray"), "rgb", "`rgb`, or `gray` for one channel"),
    "fit": kept(
        choice(*NAMED), "stretch", "how a picture is fitted to that size ([archive.md](archive.md))"
    ),
    "resize": kept(choice(*FILTERS), "pillow-bilinear", "the filter ([archive.md](archive.md))"),
    **SCALING,
    "augmentation_type": kept(
        choice(*TYPES),
        "crop",
        "`crop` flips and shifts, `crop_color` also changes colors, `crop_color_transform` also "
        "rotates, shears and zooms; `none`",
    ),
    "base_size": ignored("pictures are resized to `size`, in training as at the endpoint"),
}

NETWORK: Table = {
    "network": kept(
        text, "unet", "see [networks for segmentation](#networks-for-segmentation)", "backbone"
    ),
    **WEIGHTS,
    **PRECISION,
    "algorithm": ignored("the decoder is always that of a U-Net"),
    "syncbn": ignored("batches are normalised on each GPU for itself"),
}

DEFAULTS = {
    "learning_rate": "0.001",
    "learning_rate_schedule": "poly",
    "early_stopping_min_epochs": "5",
    "early_stopping_patience": "4",
}
"""Those of the built-in algorithm where classifiers have others."""

LEARNING: Table = {
    "epochs": kept(whole(1, 100_000), "10", "number of epochs; the model of the best one is kept"),
    "batch_size": kept(whole(1, 65_536), "16", "pictures in a step", "mini_batch_size"),
    "validation_mini_batch_size": kept(whole(1, 65_536), "16", "pictures validated at once"),
    **{
        name: replace(entry, default=DEFAULTS.get(name, entry.default))
        for name, entry in {
            **OPTIMIZATION,
            "learning_rate_schedule": kept(
                choice("poly", "step", "cosine", "constant"),
                None,
                "`poly`, `step`, `cosine` or `constant`",
                "lr_scheduler",
            ),
            "momentum": replace(OPTIMIZATION["momentum"], help="of sgd and nag"),
            "gamma": replace(OPTIMIZATION["gamma"], aliases=("rho", "gamma1")),
            "gamma2": kept(number(0, 0.9999), "0.9", "momentum of rmsprop"),
            **early_stopping("the mean IoU in validation"),
        }.items()
    },
    "checkpoint_frequency": ignored(
        "a checkpoint is written after each epoch and every two minutes"
    ),
    "kv_store": ignored("a job has one machine"),
}

TABLE: Table = {**DATA, **PICTURES, **NETWORK, **LEARNING}
