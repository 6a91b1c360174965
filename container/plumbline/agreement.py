"""How far two answers for one picture mean the same: 1 if they do, 0 if not at all."""

from __future__ import annotations

import numpy as np

from plumbline.boxes import iou
from plumbline.masks import Mask
from plumbline.results import Detections

SAME_BOX = 0.5
"""The IoU from which on two boxes of a class count as one, as in mAP@0.5."""


def of_masks(mask: Mask, other: Mask) -> float:
    """The mean IoU over the classes that are in one of them."""
    classes = np.union1d(mask, other)
    overlaps = [
        np.count_nonzero((mask == each) & (other == each))
        / np.count_nonzero((mask == each) | (other == each))
        for each in classes
    ]
    return float(np.mean(overlaps)) if overlaps else 1.0


def of_detections(found: Detections, other: Detections) -> float:
    """The share of boxes that have their like in the other answer (the F1 score at 0.5 IoU)."""
    count = len(found.scores) + len(other.scores)
    if not count:
        return 1.0
    free = np.ones(len(other.scores), bool)
    boxes, others = found.boxes.astype(np.float32), other.boxes.astype(np.float32)
    for box, class_id in zip(boxes, found.class_ids, strict=True):
        overlap = iou(np.broadcast_to(box, others.shape), others)
        likeness = np.where(free & (other.class_ids == class_id), overlap, 0)
        if likeness.size and likeness.max() >= SAME_BOX:
            free[likeness.argmax()] = False
    return float(2 * np.count_nonzero(~free) / count)
