"""How far two series of answers, a pair a picture, mean the same: 1 if they do, 0 if not at all.

The first of a pair counts as the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from plumbline.vision.arrays import Tensor
from plumbline.vision.boxes import iou

Pairs = Iterable[tuple[Tensor, Tensor]]

SAME_BOX = 0.5
"""The IoU from which on two boxes of a class count as one, as in mAP@0.5."""

COCO_OVERLAPS = np.linspace(0.5, 0.95, 10)
"""The IoUs of mAP@[.5:.95]."""

MOST_BOXES = 100
"""Of a class in a picture, as COCO counts them."""

RECALLS = np.linspace(0, 1, 101)
"""Where precision is read, as COCO does it."""


def of_classes(pairs: Pairs) -> float:
    """The share of pictures whose classes `[n]` are the same."""
    same = [np.array_equal(true, found) for true, found in pairs]
    return float(np.mean(same)) if same else 1.0


def of_masks(pairs: Pairs) -> float:
    """The mean IoU, over all pictures, of the classes in masks `[height, width]` uint8."""
    shared, either = np.zeros((2, 256), np.int64)
    for true, found in pairs:
        both = np.bincount(true[true == found], minlength=256)
        shared += both
        either += sum(np.bincount(mask.ravel(), minlength=256) for mask in (true, found)) - both
    there = either > 0
    return float(np.mean(shared[there] / either[there])) if there.any() else 1.0


def of_boxes(pairs: Pairs) -> float:
    """COCO's mAP at an IoU of 0.5, over all pictures.

    Boxes are rows `[n, 6]` of class, score, left, top, right, bottom; scores of true ones mean
    nothing. Only the classes of true boxes count; where there are none, any box is wrong.
    """
    pictures = list(pairs)
    found = average_precisions(pictures, (SAME_BOX,))
    if not found:
        return float(not any(len(found) for _, found in pictures))
    return float(np.mean(list(found.values())))


def average_precisions(pairs: Pairs, overlaps: Sequence[float]) -> dict[int, NDArray[np.float64]]:
    """COCO's average precision of each class that has true boxes, at so many IoUs: `[overlaps]`.

    Boxes are as in `of_boxes`; of each class the 100 surest of a picture count.
    """
    pictures = list(pairs)
    classes = np.unique([class_id for true, _ in pictures for class_id in true[:, 0]])
    return {int(each): average_precision(of_class(pictures, each), overlaps) for each in classes}


def of_class(pictures: Pairs, class_id: float) -> list[tuple[Tensor, Tensor]]:
    """The boxes of one class."""
    return [
        (true[true[:, 0] == class_id], found[found[:, 0] == class_id]) for true, found in pictures
    ]


def average_precision(
    pictures: Sequence[tuple[Tensor, Tensor]], overlaps: Sequence[float]
) -> NDArray[np.float64]:
    """The mean precision over all recalls of one class's boxes, `[overlaps]`; some are true."""
    ranked = [(true, found[surest_first(found[:, 1])][:MOST_BOXES]) for true, found in pictures]
    right = [matched(true[:, 2:], found[:, 2:], overlaps) for true, found in ranked]
    order = surest_first(np.concatenate([found[:, 1] for _, found in ranked]))
    hits = np.cumsum(np.concatenate(right, axis=1)[:, order], axis=1)
    precision = hits / np.arange(1, len(order) + 1)
    best_behind = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / sum(len(true) for true, _ in ranked)
    places = [np.searchsorted(each, RECALLS) for each in recall]
    ends = zip(best_behind, places, strict=True)
    return np.array([np.mean(np.append(each, 0)[place]) for each, place in ends])


def surest_first(scores: Tensor) -> NDArray[np.intp]:
    """The order of the scores, the highest first; of equal ones the earlier."""
    return np.argsort(-scores, kind="stable")


def matched(true: Tensor, found: Tensor, overlaps: Sequence[float]) -> NDArray[np.bool_]:
    """Which of the found corners `[n, 4]`, the surest first, meet a true one that is still free.

    `[overlaps, n]`, for each IoU from which on they do. Of equal overlaps the last true box is
    taken, as COCO takes it.
    """
    least = np.minimum(overlaps, 1 - 1e-10)
    right = np.zeros((len(least), len(found)), bool)
    if not len(true):
        return right
    corners, free = true.astype(np.float64), np.ones((len(least), len(true)), bool)
    rows = np.arange(len(least))
    for number, box in enumerate(found.astype(np.float64)):
        overlap = np.where(free, iou(np.broadcast_to(box, corners.shape), corners), -1)  # type: ignore[arg-type]
        best = len(true) - 1 - overlap[:, ::-1].argmax(axis=1)
        right[:, number] = overlap[rows, best] >= least
        free[rows, best] &= ~right[:, number]
    return right
