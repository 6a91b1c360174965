"""What is counted of one picture and its answer, so that many can be compared with many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from plumbline.drift.looks import SIDE, Look
from plumbline.results.task_results import Classes, Detections, Result, Segments

TOP_SCORE, DETECTIONS = "top_score", "detections"

NUMBERS = (TOP_SCORE, DETECTIONS, *Look._fields)
"""Of the surest class or box, of all boxes, and of the picture."""


class Share(NamedTuple):
    """A class that was answered; its weight is 1, or a mask's share of the pixels."""

    class_id: int
    label: str
    weight: float


@dataclass(frozen=True)
class Observation:
    """One picture: its numbers by the names of `NUMBERS`, those that it has, and its classes."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    classes: Sequence[Share] = ()

    def with_look(self, look: Look | None) -> Observation:
        """The same with what the picture looks like, if that is known."""
        return Observation({**self.numbers, **look._asdict()}, self.classes) if look else self


@singledispatch
def said(_result: Result) -> Observation:
    """What an answer is counted as; nothing is of plain numbers and made pictures."""
    return Observation()


@said.register
def _(result: Classes) -> Observation:
    if not result.class_ids:
        return Observation()
    best = result.class_ids[0]
    return Observation(
        {TOP_SCORE: float(result.scores[best])}, (Share(best, result.labels[0], 1.0),)
    )


@said.register
def _(result: Detections) -> Observation:
    count = len(result.scores)
    numbers = {DETECTIONS: float(count)}
    if count:
        numbers[TOP_SCORE] = float(result.scores[0])
    found = zip(result.class_ids, result.labels, strict=True)
    return Observation(numbers, [Share(int(index), label, 1.0) for index, label in found])


@said.register
def _(result: Segments) -> Observation:
    height, width = result.mask.shape
    some = result.mask[:: -(-height // SIDE), :: -(-width // SIDE)]
    counts = np.bincount(some.ravel(), minlength=len(result.names))[: len(result.names)]
    present = np.flatnonzero(counts)
    return Observation(
        {}, [Share(int(k), result.names[k], float(counts[k]) / some.size) for k in present]
    )
