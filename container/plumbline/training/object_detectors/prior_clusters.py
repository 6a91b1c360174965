"""The priors of a data set: its own boxes, gathered in clusters by k-means.

Redmon and Farhadi, YOLO9000 (2017), section 2: boxes are near each other that overlap when their
middles lie on each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plumbline.training.networks.single_shot import Map

Sizes = NDArray[np.float64]
"""Widths and heights `[n, 2]` in pixels of the network's input."""

STRIDES = (8, 16, 32, 64, 128)

REACH = 0.5
"""A cell is at most so large as a share of its priors, so that one of them is near every box."""

MOST_BOXES = 20_000
"""So many are looked at."""

ROUNDS = 100


def overlaps(sizes: Sizes, others: Sizes) -> NDArray[np.float64]:
    """The IoU `[n, m]` of boxes with the same middle."""
    shared = np.minimum(sizes[:, np.newaxis], others).prod(axis=-1)
    areas = sizes.prod(axis=-1)[:, np.newaxis] + others.prod(axis=-1)
    return np.asarray(shared / (areas - shared))


def clusters(sizes: Sizes, count: int, seed: int) -> Sizes:
    """The middles of so many clusters or fewer, the smallest first; the same for a seed."""
    chooser = np.random.Generator(np.random.PCG64(seed))
    if len(sizes) > MOST_BOXES:
        sizes = sizes[chooser.permutation(len(sizes))[:MOST_BOXES]]
    middles = spread(sizes, count, chooser)
    for _ in range(ROUNDS):
        nearest = overlaps(sizes, middles).argmax(axis=1)
        used = np.unique(nearest)
        moved = np.array([sizes[nearest == number].mean(axis=0) for number in used])
        if moved.shape == middles.shape and np.allclose(moved, middles):
            break
        middles = moved
    return np.asarray(middles[np.argsort(middles.prod(axis=1), kind="stable")])


def spread(sizes: Sizes, count: int, chooser: np.random.Generator) -> Sizes:
    """Boxes to begin with: the less those before overlap one, the likelier it is (k-means++)."""
    chosen = [sizes[chooser.integers(len(sizes))]]
    while len(chosen) < count:
        far = (1 - overlaps(sizes, np.array(chosen)).max(axis=1)) ** 2
        if not far.sum() > 0:
            break
        chosen.append(sizes[chooser.choice(len(sizes), p=far / far.sum())])
    return np.array(chosen)


def maps_for(middles: Sizes, size: tuple[int, int]) -> tuple[Map, ...]:
    """Which map has which priors, where the network's input is of a size (height, width)."""
    height, width = size
    sides: dict[int, list[tuple[float, float]]] = {}
    for middle in middles:
        stride = stride_for(float(np.sqrt(middle.prod())), min(size))
        sides.setdefault(stride, []).append((float(middle[0] / width), float(middle[1] / height)))
    return tuple(Map(stride, tuple(sides[stride])) for stride in sorted(sides))


def stride_for(side: float, least: int) -> int:
    """The coarsest map whose cells suit priors of a side in pixels."""
    fitting = [each for each in STRIDES if each <= REACH * side and each * 2 <= least]
    return max(fitting, default=STRIDES[0])


def mean_overlap(sizes: Sizes, middles: Sizes) -> float:
    """How well the priors fit, middle on middle: 0 to 1."""
    return float(overlaps(sizes, middles).max(axis=1).mean())


def sizes_of(boxes: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> Sizes:
    """Widths and heights in pixels of boxes `[n, 4]` from 0 to 1."""
    rows = np.concatenate([np.zeros((0, 4)), *boxes])
    return np.asarray((rows[:, 2:] - rows[:, :2]) * size[::-1])
