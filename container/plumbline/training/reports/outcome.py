"""What reports tell, before they take a form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plumbline.training.reports.confusion import Counts
from plumbline.vision.arrays import Pixels

MOST_MISTAKES = 24
MOST_PAIRS = 20
LARGEST_MATRIX = 60
"""Classes whose matrix can be looked at; beyond that only pairs are shown."""


@dataclass(frozen=True)
class Mistake:
    """A picture `[height, width, 3]` uint8 that was taken for another class than its own."""

    picture: Pixels
    name: str
    truth: str
    predicted: str
    score: float


@dataclass(frozen=True)
class Report:
    """What the report of any job tells; `history` has a row an epoch."""

    title: str
    summary: Mapping[str, str]
    history: Sequence[Mapping[str, float]]


@dataclass(frozen=True)
class ClassificationReport(Report):
    """A classifier's: `matrix` has the truth in rows."""

    labels: Sequence[str]
    matrix: Counts
    mistakes: Sequence[Mistake]


def surest(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """The mistakes that are shown, the surest first."""

    def doubt(mistake: Mistake) -> float:
        return math.inf if math.isnan(mistake.score) else -mistake.score

    return sorted(mistakes, key=doubt)[:MOST_MISTAKES]
