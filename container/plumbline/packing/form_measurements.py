"""How far other ways to compute a model are from the original, and how fast they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.loading.openvino_equivalence import UNHURRIED, one
from plumbline.packing.progress_bar import Advance
from plumbline.parity.differences import compare
from plumbline.pipeline.inference import Predictor
from plumbline.pipeline.model_inputs import stacked
from plumbline.vision.arrays import Tensor, Tensors

TIMED = 1.0
"""Seconds that each form is timed for."""


@dataclass
class Observed:
    """What came of some pictures: what each answer means, and how far values were off at most."""

    gists: list[Tensor] = field(default_factory=list)
    largest: float = 0.0


def observe(
    original: Predictor, others: Sequence[Predictor], pictures: Sequence[Path], done: Advance
) -> tuple[Observed, list[Observed]]:
    """The original, and the others beside it; `done` hears of each picture."""
    truth, found = Observed(), [Observed() for _ in others]
    for picture in pictures:
        data = picture.read_bytes()
        values, gist = answer(original, data)
        truth.gists.append(gist)
        for other, seen in zip(others, found, strict=True):
            other_values, other_gist = answer(other, data)
            seen.gists.append(other_gist)
            seen.largest = max(seen.largest, compare(values, other_values).largest)
        done(picture.name)
    return truth, found


def answer(predictor: Predictor, picture: bytes) -> tuple[Tensors, Tensor]:
    """The values `[1, …]` that one picture is compared by, and what the answer means."""
    outputs, geometry = predictor.alone(picture, UNHURRIED)
    return predictor.task.values(outputs), predictor.task.gist(outputs, geometry)


def rate(predictor: Predictor, picture: Path) -> float:
    """Pictures a second that the engine computes, one after the other."""
    target = predictor.engine.signature.input()
    inputs = {target.name: stacked([one(predictor, picture.read_bytes())], target)}
    predictor.engine.run(inputs, UNHURRIED)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < TIMED:
        predictor.engine.run(inputs, UNHURRIED)
        count += 1
    return count / spent
