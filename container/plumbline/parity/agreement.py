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
    classes = np.unique([class_id for true, _ in pictures for class_id in true[:, 0]])
    if not classes.size:
        return float(not any(len(found) for _, found in pictures))
    return float(np.mean([average_precision(of_class(pictures, each)) for each in classes]))


def of_class(pictures: Pairs, class_id: float) -> list[tuple[Tensor, Tensor]]:
    """The boxes of one class."""
    return [
        (true[true[:, 0] == class_id], found[found[:, 0] == class_id]) for true, found in pictures
    ]


def average_precision(pictures: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The mean precision over all recalls of one class's boxes; some are true."""
    ranked = [(true, found[surest_first(found[:, 1])]) for true, found in pictures]
    right = np.concatenate([matched(true[:, 2:], found[:, 2:]) for true, found in ranked])
    order = surest_first(np.concatenate([found[:, 1] for _, found in ranked]))
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    best_behind = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / sum(len(true) for true, _ in ranked), RECALLS)
    return float(np.mean(np.append(best_behind, 0)[places]))


def surest_first(scores: Tensor) -> NDArray[np.intp]:
    """The order of the scores, the highest first; of equal ones the earlier."""
    return np.argsort(-scores, kind="stable")


def matched(true: Tensor, found: Tensor) -> NDArray[np.bool_]:
    """Which of the found corners `[n, 4]`, the surest first, meet a true one that is still free."""
    free, right = np.ones(len(true), bool), np.zeros(len(found), bool)
    corners = true.astype(np.float32)
    for number, box in enumerate(found.astype(np.float32)):
        overlap = np.where(free, iou(np.broadcast_to(box, corners.shape), corners), 0)
        if overlap.size and overlap.max() >= SAME_BOX:
            free[overlap.argmax()], right[number] = False, True
    return right
