"""Priors: the boxes that an SSD corrects."""

from __future__ import annotations

import numpy as np

from plumbline.vision.boxes import Corners, corners


def decode(offsets: Corners, priors: Corners, variances: Corners) -> Corners:
    """What a network's `offsets` make of its `priors`; all of them are `[n, 4]`, 0..1.

    Offsets are of the centre's x and y, width and height; priors are corners. The centre is
    offset · variance · prior size + prior centre, the size exp(offset · variance) · prior size.
    Corners `[n, 4]` come out, clipped to 0..1.
    """
    sizes = priors[:, 2:] - priors[:, :2]
    centers = (priors[:, :2] + priors[:, 2:]) / 2
    moves = offsets * variances
    with np.errstate(over="ignore", invalid="ignore"):  # what a broken network may ask for
        moved = moves[:, :2] * sizes + centers
        scaled = np.exp(moves[:, 2:]) * sizes
        boxes = corners(np.concatenate([moved, scaled], axis=1), "center_xywh")
    return np.clip(boxes, 0, 1)
