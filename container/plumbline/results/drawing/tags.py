"""Where the tags of boxes go, so that they hide neither each other nor what is small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]
Extent = tuple[int, int]
"""Width and height."""

Costs = NDArray[np.float64]

LINES = 12
"""How far down its box a tag is moved in search of a free place."""

TAG = 4.0
"""What it costs to hide a tag; a small box costs 1."""

PATIENCE = 0.005
"""What each later candidate costs: a hundredth of a small box hidden is no reason to move."""


def tag_places(boxes: Places, sizes: Sequence[Extent], room: Extent) -> Places:
    """The left upper corners `[n, 2]` of tags of these `sizes`, at the first `n` of the boxes.

    `boxes` are `[m, 4]`. A tag lies within `room` as far as it fits: above its box, else within,
    below or beside it, where it hides the least of earlier tags and of boxes.
    """
    taken = np.empty((len(sizes), 4), np.intp)
    for number, (box, size) in enumerate(zip(boxes, np.array(sizes), strict=False)):
        corners = np.clip(candidates(box, size), 0, np.maximum(room - size, 0))
        tags = np.hstack([corners, corners + size])
        cost = TAG * hidden(tags, taken[:number]).sum(axis=1)
        # Squared: a corner of a large box is nothing, the whole of a small one is all.
        cost += np.square(hidden(tags, boxes)).sum(axis=1)
        cost += PATIENCE * np.arange(len(corners))
        taken[number] = tags[np.argmin(cost)]
    return taken[:, :2]


def candidates(box: Places, size: Places) -> Places:
    """Left upper corners `[n, 2]` for a tag at a box, the best first."""
    left, top, right, bottom = box
    width, height = size
    inside = np.arange(top, max(top + 1, bottom - height), height)[:LINES]
    levels = [top - height, *inside, bottom]
    ends = [(x, y) for y in levels for x in (left, right - width, (left + right - width) // 2)]
    beside = [(x, y) for y in inside for x in (right, left - width)]
    return np.array(ends + beside, np.intp)


def hidden(tags: Places, others: Places) -> Costs:
    """The share of each of `others` `[m, 4]` that each of `tags` `[n, 4]` would hide: `[n, m]`."""
    first = np.maximum(tags[:, None, :2], others[:, :2])
    last = np.minimum(tags[:, None, 2:], others[:, 2:])
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    shares: Costs = np.clip(last - first, 0, None).prod(axis=2) / np.maximum(areas, 1)
    return shares
