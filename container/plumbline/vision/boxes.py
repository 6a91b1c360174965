"""Boxes: their formats, how far they overlap, which of them are kept.

Corners are `[left, top, right, bottom]`. Everything is computed in float32, as TensorFlow's kernel
for `tf.image.non_max_suppression` does, so that the same boxes are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from plumbline.vision.geometry import Size

Corners = NDArray[np.float32]
Indices = NDArray[np.intp]

FIRST = 256
"""So many of the best candidates are sorted at first; they nearly always suffice."""

ROUND = 1024
"""So many candidates are compared with what is kept at once."""

BLOCK = 64
"""So many candidates are compared with one another at once."""


def from_yxyx(boxes: Corners) -> Corners:
    """Top, left, bottom, right."""
    return boxes[..., [1, 0, 3, 2]]


def from_xywh(boxes: Corners) -> Corners:
    """Left, top, width, height."""
    corner, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([corner, corner + size], axis=-1)


def from_center_xywh(boxes: Corners) -> Corners:
    """The centre's x and y, width, height."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([center - half, center + half], axis=-1)


def from_center_yxhw(boxes: Corners) -> Corners:
    """The centre's y and x, height, width."""
    return from_center_xywh(from_yxyx(boxes))


ORDERS: Mapping[str, Callable[[Corners], Corners]] = MappingProxyType(
    {
        "xyxy": lambda boxes: boxes,
        "yxyx": from_yxyx,
        "xywh": from_xywh,
        "center_xywh": from_center_xywh,
        "center_yxhw": from_center_yxhw,
    }
)

RELATIVE = "rel_"

FORMATS = (*ORDERS, *(RELATIVE + order for order in ORDERS))
"""As Keras names them: two corners, or one or the centre and a size; in pixels, or `rel_` 0..1."""


def corners(boxes: NDArray[np.floating], box_format: str) -> Corners:
    """Boxes `[..., 4]` of any format as corners `[..., 4]`, still 0..1 or pixels as they were."""
    return ORDERS[box_format.removeprefix(RELATIVE)](boxes.astype(np.float32, copy=False))


def extent(box_format: str, size: Size) -> NDArray[np.float64]:
    """What corners are multiplied by for pixels of the model's input of `size` (height, width).

    The product of `corners` and this equals
    `keras.utils.bounding_boxes.convert_format(boxes, box_format, "xyxy", height, width)`.
    """
    height, width = size if box_format.startswith(RELATIVE) else (1, 1)
    return np.array([width, height, width, height], np.float64)


def iou(boxes: Corners, others: Corners) -> NDArray[np.float32]:
    """The intersection over union of corners `[n, 4]` with corners `[n, 4]`, pair by pair.

    Equals what TensorFlow computes, to the bit: 0 where one of the two has no area. Corners are
    finite, left before right and top before bottom.
    """
    left, top, right, bottom = boxes.T
    other_left, other_top, other_right, other_bottom = others.T
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (right - left) * (bottom - top)
    other_area = (other_right - other_left) * (other_bottom - other_top)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = shared / (area + other_area - shared)
    empty = (area <= 0) | (other_area <= 0)
    ratio[empty] = 0
    return np.asarray(ratio)


@dataclass(frozen=True)
class Candidates:
    """What may be kept: each of `boxes` `[n, 4]`, corners, once for each of its `scores` `[n, c]`.

    Scores are finite; one of -inf is no candidate. Those of one group compete; `groups` are
    `[n, c]`, or of any shape that NumPy makes that of. A candidate is known by its place among all
    `n * c`.
    """

    boxes: Corners
    scores: NDArray[np.float32]
    groups: Indices

    def boxes_of(self, which: Indices) -> Corners:
        """Their boxes `[m, 4]`."""
        return np.asarray(self.boxes.take(which // self.scores.shape[1], axis=0))

    def scores_of(self, which: Indices) -> NDArray[np.float32]:
        """Their scores `[m]`."""
        return np.asarray(self.scores.take(which))

    def groups_of(self, which: Indices) -> Indices:
        """Their groups `[m]`."""
        shape = self.scores.shape
        groups: Indices = np.broadcast_to(self.groups, shape)[np.unravel_index(which, shape)]
        return groups

    def best(self, most: int) -> Indices:
        """The best of all, as many as asked for, whatever they overlap."""
        some = np.flatnonzero(self.scores > -np.inf)
        return self.sorted(some)[:most]

    def sorted(self, which: Indices) -> Indices:
        """Those with the highest scores first; of equal ones the earlier."""
        return which[np.argsort(-self.scores_of(which), kind="stable")]

    def descending(self) -> Iterator[Indices]:
        """All, the best first, in ever larger parts; no more is sorted than is asked for."""
        scores, size, above = self.scores.reshape(-1), FIRST, np.float32(np.inf)
        present = scores[scores > -np.inf]
        while above > -np.inf:
            few = len(present) <= size
            lowest = np.float32(-np.inf) if few else np.partition(present, -size)[-size]
            part = (scores >= lowest) & (scores < above) & (scores > -np.inf)
            yield self.sorted(np.flatnonzero(part))
            size, above = size * 8, lowest

    def entering(self, most: int) -> Iterator[Indices]:
        """The `most` best of each group, the best of all first, in parts."""
        known = np.unique(self.groups)
        entered = np.zeros(len(known), np.intp)
        for part in self.descending():
            for start in range(0, len(part), ROUND):
                some = part[start : start + ROUND]
                groups = np.searchsorted(known, self.groups_of(some))
                yield some[entered[groups] + _ranks(groups) < most]
                entered += np.bincount(groups, minlength=len(known))
                if entered.min() >= most:
                    return


def suppress(
    candidates: Candidates, *, iou_threshold: float, max_candidates: int, max_kept: int
) -> Indices:
    """Which of the candidates are kept, the surest first.

    Each that overlaps a surer one of its group by more than `iou_threshold` is left out, and so are
    those after the `max_candidates` best of their group; of all groups, the `max_kept` best are
    kept. Of equal scores the earlier candidate is the surer one. With one group this is
    `tf.image.non_max_suppression`; with a group for each class it is that, class by class.
    """
    competition = _Competition.of(candidates, iou_threshold)
    kept = np.empty(0, np.intp)
    for entering in candidates.entering(max_candidates):
        kept = competition.go_on(kept, entering, max_kept)
        if len(kept) == max_kept:
            break
    return kept


def _ranks(groups: Indices) -> Indices:
    """How many of the same group come before each."""
    order = np.argsort(groups, kind="stable")
    in_order = groups[order]
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.searchsorted(in_order, in_order)
    return ranks


@dataclass(frozen=True)
class _Competition:
    """Pairs of candidates of one group, and whether their boxes overlap."""

    candidates: Candidates
    threshold: np.float32

    @classmethod
    def of(cls, candidates: Candidates, iou_threshold: float) -> _Competition:
        """Corners may be any two opposite ones: they are put in order first, as TensorFlow does."""
        first, second = candidates.boxes[:, :2], candidates.boxes[:, 2:]
        boxes = np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)
        return cls(replace(candidates, boxes=boxes), np.float32(iou_threshold))

    def go_on(self, kept: Indices, entering: Indices, max_kept: int) -> Indices:
        """`kept`, and behind them those of `entering`, in order, that none before overlaps."""
        waiting = self.clear_of(kept, entering)
        while len(waiting) and len(kept) < max_kept:
            added = self.apart(waiting[:BLOCK])
            waiting = self.clear_of(added, waiting[BLOCK:])
            kept = np.concatenate([kept, added])
        return kept[:max_kept]

    def clear_of(self, kept: Indices, waiting: Indices) -> Indices:
        """Those of `waiting` that overlap none of `kept`."""
        for start in range(0, len(kept), 4 * BLOCK):
            some = kept[start : start + 4 * BLOCK]
            groups, others = self.candidates.groups_of(waiting), self.candidates.groups_of(some)
            first, second = np.nonzero(groups[:, np.newaxis] == others)
            clear = np.ones(len(waiting), bool)
            clear[first[self.overlap(waiting.take(first), some.take(second))]] = False
            waiting = waiting[clear]
        return waiting

    def apart(self, block: Indices) -> Indices:
        """Those of `block` that overlap none before them that is kept itself."""
        groups = self.candidates.groups_of(block)
        first, second = np.nonzero(np.triu(groups[:, np.newaxis] == groups, 1))
        over = self.overlap(block.take(first), block.take(second))
        clear = [True] * len(block)
        for surer, other in zip(first[over].tolist(), second[over].tolist(), strict=True):
            clear[other] = clear[other] and not clear[surer]
        return block[clear]

    def overlap(self, some: Indices, others: Indices) -> NDArray[np.bool_]:
        """Whether the boxes overlap by more than is allowed, pair by pair."""
        boxes, other_boxes = self.candidates.boxes_of(some), self.candidates.boxes_of(others)
        return np.asarray(iou(boxes, other_boxes) > self.threshold)
