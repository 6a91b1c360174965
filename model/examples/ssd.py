"""The small SSDLite of Plumbline's own training, with priors chosen by hand, and how it is read.

Its output is one tensor for each picture, `[priors, 4 + classes + 1 + 8]`: the offsets of a box
from its prior, the probabilities of the classes and of the background, which is the last, the
prior's xmin, ymin, xmax and ymax, and four variances. Coordinates are shares of the picture's width
and height. `PriorBoxes` is the layer that is not Keras's own.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from plumbline.training.networks import prior_boxes
from plumbline.training.networks.single_shot import Design, Map, Sides, detector
from plumbline.training.object_detectors import prior_targets

SIZE = 160

PriorBoxes = prior_boxes.layer_class()

STRIDES = (8, 16, 32)
"""So many pixels each way have a cell of a map."""

SIDES = (0.12, 0.18, 0.26, 0.34)
"""The sides of the smallest priors on each of the three maps, and of one larger still."""

RATIOS = (1.0, 1 / 2, 1 / 3)
"""Widths of the priors by their heights."""

MATCHED = 0.5
"""From this overlap on, a prior is to find a box."""

loss = prior_targets.loss

targets = partial(prior_targets.targets, matched=MATCHED)


def sides(smallest: float, largest: float) -> Sides:
    """A cell's priors: of each ratio one as large as the smallest, and a square between both."""
    shaped = [(smallest * ratio**0.5, smallest / ratio**0.5) for ratio in RATIOS]
    return (*shaped, ((smallest * largest) ** 0.5,) * 2)


def build_model(classes: int) -> Any:
    """`[batch, 160, 160, 3]` from -1 to 1 → `[batch, 2100, 4 + classes + 1 + 8]`."""
    maps = (
        Map(stride, sides(*each)) for stride, each in zip(STRIDES, pairwise(SIDES), strict=True)
    )
    return detector(Design("tinymobilenet", (SIZE, SIZE, 3), classes, tuple(maps)))


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
    for number, scores in enumerate(raw[:, 4:-9].T):
        best = np.argsort(-scores, kind="stable")[:400]
        best = best[scores[best] > threshold]
        if len(best):
            best = best[tf.image.non_max_suppression(boxes[best], scores[best], 400, 0.45).numpy()]
            rows.append(np.column_stack([np.full(len(best), number), scores[best], boxes[best]]))
    found = np.concatenate(rows)
    return found[np.argsort(-found[:, 1], kind="stable")[:200]]
