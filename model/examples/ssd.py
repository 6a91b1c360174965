"""A small SSDLite: its network, its priors, what it learns from boxes, and how it is read.

Its output is one tensor for each picture, `[priors, 4 + classes + 8]`: the offsets of a box from
its prior, the classes' probabilities (class 0 is the background), the prior's xmin, ymin, xmax and
ymax, and four variances. Coordinates are shares of the picture's width and height.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIZE = 160

VARIANCES = (0.1, 0.1, 0.2, 0.2)

SIDES = (0.12, 0.18, 0.26, 0.34)
"""The sides of the smallest priors on each of the three maps, and of one larger still."""

RATIOS = (1.0, 1 / 2, 1 / 3)
"""Widths of the priors by their heights."""

MATCHED = 0.5
"""From this overlap on, a prior is to find a box."""

NEGATIVES = 3
"""So many priors without a box are learnt from for each with one: those that look most like one."""


class PriorBox(layers.Layer):  # type: ignore[misc]
    """The priors of a map `[batch, rows, columns, …]`: `[batch, rows · columns · 4, 8]`.

    Each cell has a square of the side `smallest`, one between that and `largest`, and boxes of the
    `ratios` that are as large as the former.
    """

    def __init__(
        self,
        smallest: float,
        largest: float,
        ratios: Sequence[float] = RATIOS,
        variances: Sequence[float] = VARIANCES,
        **named: Any,
    ) -> None:
        super().__init__(**named)
        self.smallest = smallest
        self.largest = largest
        self.ratios = tuple(ratios)
        self.variances = tuple(variances)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer anew."""
        own = ("smallest", "largest", "ratios", "variances")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def priors(self, rows: int, columns: int) -> np.ndarray:
        """`[rows · columns · priors of a cell, 8]` float32."""
        sides = [(self.smallest * ratio**0.5, self.smallest / ratio**0.5) for ratio in self.ratios]
        sides.append(((self.smallest * self.largest) ** 0.5,) * 2)
        x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
        centers, reach = np.stack([x, y], axis=-1)[:, :, np.newaxis], np.array(sides) / 2
        corners = np.concatenate([centers - reach, centers + reach], axis=-1).reshape(-1, 4)
        variances = np.tile(self.variances, (len(corners), 1))
        return np.concatenate([np.clip(corners, 0, 1), variances], axis=1, dtype=np.float32)

    def call(self, cells: Any) -> Any:
        """The same priors for every picture of the batch."""
        found = self.priors(*cells.shape[1:3])
        return ops.broadcast_to(found, (ops.shape(cells)[0], *found.shape))


def activate(cells: Any) -> Any:
    """Normalised and cut off, as in MobileNet."""
    return layers.ReLU(6)(layers.BatchNormalization(momentum=0.9)(cells))


def convolve(cells: Any, filters: int, stride: int = 1) -> Any:
    """A separable convolution as in MobileNet."""
    cells = activate(layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(cells))
    return activate(layers.Conv2D(filters, 1, use_bias=False)(cells))


def read_map(cells: Any, classes: int, smallest: float, largest: float) -> Any:
    """The rows of a map's priors."""
    count = len(RATIOS) + 1
    offsets = layers.SeparableConv2D(count * 4, 3, padding="same")(cells)
    scores = layers.SeparableConv2D(count * classes, 3, padding="same")(cells)
    return layers.Concatenate()(
        [
            layers.Reshape((-1, 4))(offsets),
            layers.Softmax()(layers.Reshape((-1, classes))(scores)),
            PriorBox(smallest, largest)(cells),
        ]
    )


def build_model(classes: int) -> Any:
    """`[batch, 160, 160, 3]` from -1 to 1 → `[batch, 2100, 4 + classes + 8]`."""
    pictures = keras.Input((SIZE, SIZE, 3))
    cells = activate(layers.Conv2D(16, 3, 2, padding="same", use_bias=False)(pictures))
    cells = convolve(convolve(cells, 32, 2), 48)
    rows = []
    for filters, sides in zip((96, 128, 128), pairwise(SIDES), strict=True):
        cells = convolve(convolve(cells, filters, 2), filters)
        rows.append(read_map(cells, classes, *sides))
    return keras.Model(pictures, layers.Concatenate(axis=1)(rows), name="ssdlite")


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union `[boxes, others]`."""
    low = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], others[:, 2:])
    shared: np.ndarray = np.prod(np.maximum(high - low, 0), axis=-1)
    area, other_area = (np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, others))
    return np.asarray(shared / (area[:, np.newaxis] + other_area - shared))


def encode(boxes: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """The offsets `[n, 4]` that lead from priors `[n, 8]` to boxes `[n, 4]`."""
    sizes, prior_sizes = (each[:, 2:4] - each[:, :2] for each in (boxes, priors))
    between = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:4]) / 2
    offsets = np.concatenate([between / prior_sizes, np.log(sizes / prior_sizes)], axis=1)
    return np.asarray(offsets / priors[:, 4:])


def targets(boxes: np.ndarray, classes: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """What each prior is to say, `[priors, 5]` float32: offsets and a class, 0 for nothing."""
    wanted = np.zeros((len(priors), 5), np.float32)
    if not len(boxes):
        return wanted
    shared = overlaps(boxes, priors[:, :4])
    # However badly they fit, no box goes without a prior.
    shared[np.arange(len(boxes)), shared.argmax(axis=1)] = 1
    best, chosen = shared.argmax(axis=0), np.flatnonzero(shared.max(axis=0) >= MATCHED)
    wanted[chosen, :4] = encode(boxes[best[chosen]], priors[chosen])
    wanted[chosen, 4] = classes[best[chosen]]
    return wanted


def loss(wanted: Any, found: Any) -> Any:
    """SSD's: smooth L1 of the offsets, and cross-entropy of the classes with hard negatives."""
    matched = wanted[..., 4] > 0
    count = ops.maximum(ops.sum(ops.cast(matched, "float32"), axis=1), 1)
    distance = ops.abs(wanted[..., :4] - found[..., :4])
    smooth = ops.sum(ops.where(distance < 1, distance**2 / 2, distance - 0.5), axis=-1)
    scores = found[..., 4:-8]
    classes = ops.one_hot(ops.cast(wanted[..., 4], "int32"), scores.shape[-1])
    entropy = -ops.sum(classes * ops.log(scores + 1e-7), axis=-1)
    unmatched = ops.where(matched, 0.0, entropy)
    ranked = -ops.sort(-unmatched, axis=1)
    least = ops.take_along_axis(ranked, ops.cast(NEGATIVES * count, "int32")[:, None], axis=1)
    hard = ops.where(unmatched > least, entropy, 0.0)
    return ops.sum(ops.where(matched, smooth + entropy, hard), axis=1) / count


def decode(raw: np.ndarray, threshold: float = 0.01) -> np.ndarray:
    """The rows `[n, 6]` that `[priors, 4 + classes + 8]` means, the surest first.

    Each is a class, its score, xmin, ymin, xmax and ymax. Of each class the 400 surest are
    suppressed where they overlap by more than 0.45; 200 are kept in all.
    """
    priors, variances = raw[:, -8:-4], raw[:, -4:]
    sizes, centers = priors[:, 2:] - priors[:, :2], (priors[:, :2] + priors[:, 2:]) / 2
    centers = raw[:, :2] * variances[:, :2] * sizes + centers
    sizes = np.exp(raw[:, 2:4] * variances[:, 2:]) * sizes
    boxes = np.clip(np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=1), 0, 1)
    rows = [np.zeros((0, 6))]
    for number, scores in enumerate(raw[:, 4:-8].T):
        best = np.argsort(-scores, kind="stable")[:400]
        best = best[scores[best] > threshold]
        if number and len(best):
            best = best[tf.image.non_max_suppression(boxes[best], scores[best], 400, 0.45).numpy()]
            rows.append(np.column_stack([np.full(len(best), number), scores[best], boxes[best]]))
    found = np.concatenate(rows)
    return found[np.argsort(-found[:, 1], kind="stable")[:200]]
