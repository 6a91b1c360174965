"""Plain Keras: tf.data and `fit`, with the networks and losses of the recipes.

Classification is what Keras's documentation advises: `image_dataset_from_directory`, what
normalises in `map`, and `prefetch`. The other two keep their decoded pictures with `cache`, as the
recipes do. Each prints a line an epoch: its score in validation, and the seconds of its steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import schedules

import detector as example
import ssd
from augmented_manifest import Photo, load
from plumbline.training.networks import network_table, single_shot, u_net
from plumbline.training.object_detectors import prior_clusters, prior_targets
from scenes import DIGITS, SURFACES

CENTER = tf.constant([0.485, 0.456, 0.406]) * 255
SPREAD = tf.constant([0.229, 0.224, 0.225]) * 255

AHEAD = tf.data.AUTOTUNE


class Told(keras.callbacks.Callback):  # type: ignore[misc]
    """Says when the first step is done, and how each epoch went."""

    def __init__(self, score: Callable[[dict[str, float]], float]) -> None:
        super().__init__()
        self.score, self.epochs = score, 0
        self.begun = self.ended = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Note the time."""
        if not batch and not self.epochs:
            print("first step", flush=True)
        self.ended = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Begin to count."""
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Say how it went."""
        self.epochs += 1
        print(f"epoch {self.score(logs):.6g} {self.ended - self.begun:.3f}", flush=True)


def classes(folder: Path, epochs: int, seed: int, given: dict[str, Any]) -> None:
    """A classifier of a folder for each class."""
    side = given["size"]
    sides = {
        name: keras.utils.image_dataset_from_directory(
            folder / name,
            label_mode="categorical",
            image_size=(side, side),
            batch_size=given["batch_size"],
            shuffle=name == "train",
            seed=seed,
            verbose=False,
        )
        .map(lambda pictures, labels: ((pictures - CENTER) / SPREAD, labels), AHEAD)
        .prefetch(AHEAD)
        for name in ("train", "validation")
    }
    count = len(list((folder / "train").iterdir()))
    network = network_table.classifier(given["network"], (side, side, 3), count, 0)
    rate = schedules.CosineDecay(given["learning_rate"], epochs * len(sides["train"]))
    network.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    told = Told(lambda logs: logs["val_accuracy"])
    network.fit(
        sides["train"],
        validation_data=sides["validation"],
        epochs=epochs,
        verbose=0,
        callbacks=[told],
    )


def picture(file: Any, side: int) -> Any:
    """A JPEG file, decoded and resized."""
    pixels = tf.io.decode_jpeg(tf.io.read_file(file), channels=3, dct_method="INTEGER_ACCURATE")
    return tf.image.resize(pixels, (side, side), antialias=True)


def fit(network: Any, batches: Any, loss: Any, told: Told, given: dict[str, Any]) -> None:
    """Adam, and a cosine of learning rates."""
    rate = schedules.CosineDecay(given["learning_rate"], given["epochs"] * len(batches))
    # As in the recipes: XLA makes separable convolutions several times slower on a CPU.
    network.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    network.fit(batches, epochs=given["epochs"], verbose=0, callbacks=[told])


def batched(pairs: Any, count: int, size: int, prepare: Callable[[Any], Any]) -> Any:
    """Batches in another order each epoch, decoded once and normalised each time."""
    order = pairs.cache().shuffle(count).batch(size)
    return order.map(lambda pixels, wanted: (prepare(pixels), wanted), AHEAD).prefetch(AHEAD)


def boxes(folder: Path, epochs: int, seed: int, given: dict[str, Any]) -> None:
    """An SSD of the recipe's design; COCO's mAP at 0.5 by pycocotools."""
    side, size = given["size"], given["batch_size"]
    photos = load(folder / "train/output.manifest").photos
    held_out = load(folder / "validation/output.manifest").photos
    shares = [corners(photo) / np.tile(photo.size, 2) for photo in photos]
    clusters = prior_clusters.clusters(prior_clusters.sizes_of(shares, (side, side)), 9, seed)
    maps = prior_clusters.maps_for(clusters, (side, side))
    network = single_shot.detector(
        single_shot.Design("tinymobilenet", (side, side, 3), len(DIGITS), maps)
    )
    priors = np.asarray(network(np.zeros((1, side, side, 3), np.float32)))[0, :, -8:]
    wanted = [
        ssd.targets(share, np.array([box.class_id for box in photo.annotations]), priors, 10)
        for share, photo in zip(shares, photos, strict=True)
    ]
    files = [str(folder / "train" / photo.source) for photo in photos]
    pairs = tf.data.Dataset.from_tensor_slices((files, np.stack(wanted))).map(
        lambda file, rows: (picture(file, side), rows), AHEAD
    )
    answer = tf.function(lambda pixels: network(pixels, training=False))

    def score(_: dict[str, float]) -> float:
        each = [
            np.asarray(
                answer(picture(str(folder / "validation" / photo.source), side)[None] / 127.5 - 1)
            )[0]
            for photo in held_out
        ]
        return example.average_precision(held_out, [ssd.decode(raw) for raw in each])

    batches = batched(pairs, len(files), size, lambda pixels: pixels / 127.5 - 1)
    fit(network, batches, prior_targets.loss, Told(score), {**given, "epochs": epochs})


def corners(photo: Photo) -> np.ndarray:
    """The boxes of a photo: left, top, right and bottom in pixels, `[n, 4]`."""
    rows = np.array([box[1:] for box in photo.annotations], float).reshape(-1, 4)
    rows[:, 2:] += rows[:, :2]
    return rows


def masks(folder: Path, epochs: int, seed: int, given: dict[str, Any]) -> None:  # noqa: ARG001
    """A U-Net; Keras's mean IoU at the pictures' own sizes."""
    side, size = given["size"], given["batch_size"]

    def files(part: str, ending: str) -> list[str]:
        return [str(file) for file in sorted((folder / part).glob(f"*.{ending}"))]

    def mask(file: Any) -> Any:
        return tf.io.decode_png(tf.io.read_file(file), channels=1)

    def pair(shown: Any, annotated: Any) -> tuple[Any, Any]:
        laid = tf.image.resize(mask(annotated), (side, side), "nearest")
        return picture(shown, side), laid[..., 0]

    network = u_net.segmenter(u_net.UNET, (side, side, 3), len(SURFACES))
    pairs = tf.data.Dataset.from_tensor_slices(
        (files("train", "jpg"), files("train_annotation", "png"))
    )
    answer = tf.function(lambda pixels: network(pixels, training=False))
    held_out = list(
        zip(files("validation", "jpg"), files("validation_annotation", "png"), strict=True)
    )

    def score(_: dict[str, float]) -> float:
        metric = keras.metrics.MeanIoU(len(SURFACES))
        for shown, annotated in held_out:
            truth = mask(annotated)[..., 0]
            raw = answer((picture(shown, side)[None] - CENTER) / SPREAD)
            found = tf.image.resize(tf.nn.softmax(raw), truth.shape)[0]
            metric.update_state(truth, tf.argmax(found, axis=-1))
        return float(metric.result())

    batches = batched(
        pairs.map(pair, AHEAD), len(pairs), size, lambda pixels: (pixels - CENTER) / SPREAD
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fit(network, batches, loss, Told(score), {**given, "epochs": epochs})
