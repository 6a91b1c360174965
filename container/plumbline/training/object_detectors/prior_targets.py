"""Boxes → what each prior is to say, and what says it wrongly costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.vision.arrays import Tensor

NEGATIVES = 3
"""So many priors without a box are learnt from for each with one: those that look most like one."""

LEAST = 1e-7
"""Probabilities below this count as this, as in Keras."""

Boxes = NDArray[np.float64]


def overlaps(boxes: Boxes, others: Tensor) -> NDArray[np.float64]:
    """Intersection over union `[boxes, others]` of corners."""
    low = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    area, other_area = (np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (boxes, others))
    return np.asarray(shared / (area[:, np.newaxis] + other_area - shared))


def encode(boxes: Boxes, priors: Tensor) -> NDArray[np.float64]:
    """The offsets `[n, 4]` that lead from priors `[n, 8]` to boxes `[n, 4]`."""
    sizes, prior_sizes = (each[:, 2:4] - each[:, :2] for each in (boxes, priors))
    between = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:4]) / 2
    offsets = np.concatenate([between / prior_sizes, np.log(sizes / prior_sizes)], axis=1)
    return np.asarray(offsets / priors[:, 4:])


def targets(
    boxes: Boxes, class_ids: NDArray[np.intp], priors: Tensor, background: int, matched: float
) -> Tensor:
    """What each prior `[priors, 8]` is to say, `[priors, 5]` float32: offsets and a class.

    A prior is to find the box that it overlaps most, from an overlap `matched` on; and each box is
    found by one prior at least, however badly they fit.
    """
    wanted = np.zeros((len(priors), 5), np.float32)
    wanted[:, 4] = background
    if not len(boxes):
        return wanted
    shared = overlaps(boxes, priors[:, :4])
    shared[np.arange(len(boxes)), shared.argmax(axis=1)] = 2
    best, chosen = shared.argmax(axis=0), np.flatnonzero(shared.max(axis=0) >= matched)
    wanted[chosen, :4] = encode(boxes[best[chosen]], priors[chosen])
    wanted[chosen, 4] = class_ids[best[chosen]]
    return wanted


def loss(wanted: Any, found: Any) -> Any:
    """SSD's loss `[n]` of `[n, priors, 5]` and `[n, priors, 4 + classes + 8]`: both below."""
    return smooth_l1(wanted, found) + cross_entropy(wanted, found)


def is_matched(wanted: Any, found: Any) -> Any:
    """Which priors are to find a box: the background is the last class."""
    return wanted[..., 4] < found.shape[-1] - 13


def smooth_l1(wanted: Any, found: Any) -> Any:
    """Of the offsets of priors that are to find a box, for each of them: `[n]`."""
    from keras import ops

    matched = is_matched(wanted, found)
    count = ops.maximum(ops.sum(ops.cast(matched, "float32"), axis=1), 1)
    distance = ops.abs(wanted[..., :4] - found[..., :4])
    smooth = ops.sum(ops.where(distance < 1, distance**2 / 2, distance - 0.5), axis=-1)
    return ops.sum(ops.where(matched, smooth, 0.0), axis=1) / count


def cross_entropy(wanted: Any, found: Any) -> Any:
    """Of the classes: of priors that are to find a box, and of the hardest that are not: `[n]`."""
    from keras import ops

    matched = is_matched(wanted, found)
    count = ops.maximum(ops.sum(ops.cast(matched, "float32"), axis=1), 1)
    scores = found[..., 4:-8]
    classes = ops.one_hot(ops.cast(wanted[..., 4], "int32"), scores.shape[-1])
    entropy = -ops.log(ops.sum(classes * scores, axis=-1) + LEAST)
    unmatched = ops.where(matched, 0.0, entropy)
    ranked = -ops.sort(-unmatched, axis=1)
    last = ops.minimum(ops.cast(NEGATIVES * count, "int32"), found.shape[1] - 1)
    least = ops.take_along_axis(ranked, last[:, None], axis=1)
    hard = ops.where(unmatched > least, entropy, 0.0)
    return ops.sum(ops.where(matched, entropy, hard), axis=1) / count


def loss_and_metrics() -> tuple[Any, list[Any]]:
    """For Keras: the loss, and both of its parts."""
    from keras.metrics import MeanMetricWrapper

    return loss, [
        MeanMetricWrapper(smooth_l1, name="smooth_l1"),
        MeanMetricWrapper(cross_entropy, name="cross_entropy"),
    ]
