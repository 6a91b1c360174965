"""Which classes are taken for which, and the measures of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts: TypeAlias = NDArray[np.int64]
Shares: TypeAlias = NDArray[np.float64]


class Confused(NamedTuple):
    """So many `pictures` of a class, of its `total`, were taken for another."""

    truth: int
    predicted: int
    pictures: int
    total: int


@dataclass(frozen=True)
class ClassMeasures:
    """Of each class, `[classes]`: shares from 0 to 1 (0 where undefined), and its pictures."""

    precision: Shares
    recall: Shares
    f1: Shares
    count: Counts


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int) -> Counts:
    """How often each class (row) was taken for each (column): `[classes, classes]` int64.

    `truth` and `predicted` are `[n]`, whole numbers below `classes`. Raises `ValueError`.
    """
    pairs = np.array([truth, predicted], np.int64)
    if pairs.size and (pairs.min() < 0 or pairs.max() >= classes):
        raise ValueError(f"Classes from {pairs.min()} to {pairs.max()} of {classes}")
    cells = pairs[0] * classes + pairs[1]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def class_measures(matrix: Counts) -> ClassMeasures:
    """Precision, recall and F1 of each class of a confusion matrix `[classes, classes]`."""
    hits, found, there = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)
    return ClassMeasures(
        precision=divided(hits, found),
        recall=divided(hits, there),
        f1=divided(2 * hits, found + there),
        count=there,
    )


def divided(part: Counts, whole: Counts) -> Shares:
    """The quotients `[n]`; 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def most_confused(matrix: Counts, most: int) -> list[Confused]:
    """The classes that are most often taken for another, at most so many."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    totals = matrix.sum(axis=1)
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [
        Confused(int(row), int(column), int(wrong[row, column]), int(totals[row]))
        for row, column in places
        if wrong[row, column]
    ]
