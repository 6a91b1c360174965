"""Answers to golden pictures, wherever they came from, beside what the archive expects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from plumbline.archive.contents import GoldenPicture
from plumbline.errors import CommandError
from plumbline.loading.inspection import Inspection
from plumbline.parity.differences import Difference, compare, mismatch
from plumbline.pipeline.model_inputs import fit_pictures, prepared
from plumbline.pipeline.picture_view import seen
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import TEXT, Signature
from plumbline.tasks.task_table import fitted
from plumbline.vision.arrays import Tensors
from plumbline.vision.images import Limits


@dataclass(frozen=True)
class Comparison:
    """How far each golden picture's answer is off, by its name, and what is allowed."""

    found: Mapping[str, Difference]
    tolerance: float

    @property
    def wrong(self) -> str | None:
        """What is wrong, in a sentence, or None."""
        if all(each.within(self.tolerance) for each in self.found.values()):
            return None
        return mismatch(
            self.found,
            self.tolerance,
            "The same pictures came out right where the archive was packed: look for another "
            "archive, another image or other settings there.",
        )

    def document(self) -> dict[str, Any]:
        """All of it, for scripts."""
        pictures = {
            name: {**asdict(each), "within": each.within(self.tolerance)}
            for name, each in self.found.items()
        }
        return {"tolerance": self.tolerance, "pictures": pictures, "wrong": self.wrong}


def compared(inspected: Inspection, answers: Path) -> Comparison:
    """The golden pictures that have an answer in the folder. Raises `CommandError` for none."""
    archive = inspected.archive
    spec = archive.spec
    fit_pictures(spec, inspected.signature)
    found = dict(differences(inspected, answers))
    if not found:
        raise CommandError(
            f"{answers} holds no answer to any of the {len(archive.goldens)} golden pictures: the "
            "answer to golden/cat.jpg is cat.jpg.npy or cat.jpg.json."
        )
    budget = spec.acceleration.max_difference if archive.accelerated else 0.0
    return Comparison(found, max(spec.golden.tolerance, budget))


def differences(inspected: Inspection, answers: Path) -> Iterator[tuple[str, Difference]]:
    """How far each answer is off."""
    archive, target = inspected.archive, inspected.target
    signature = seen(archive.spec, inspected.signature)
    task = fitted(archive.spec, archive.labels, signature)
    for golden in archive.goldens:
        try:
            outputs = answer(answers, golden, signature)
            if outputs is None:
                continue
            made = prepared(golden.picture, archive.spec, target, Limits(), Stopwatch())
            compares = (
                compare(golden.expected, one) for one in task.readings(outputs, made.geometry)
            )
            worst = min(compares, key=lambda difference: difference.largest)
        except NOT_RAW as exc:
            reason = f"the answer is not that of a server to format=raw: {exc}"
            worst = Difference(signature.outputs[0].name, math.inf, reason)
        yield golden.name, worst


NOT_RAW = (KeyError, IndexError, TypeError, ValueError, EOFError)
"""What reading an answer raises that is another one."""


def answer(answers: Path, golden: GoldenPicture, signature: Signature) -> Tensors | None:
    """The outputs `[1, …]` that were answered with `format=raw`, or None."""
    array, text = (answers / f"{golden.name}{suffix}" for suffix in (".npy", ".json"))
    if array.is_file():
        return {signature.outputs[0].name: np.load(array, allow_pickle=False)[None]}
    return from_json(text.read_bytes(), signature) if text.is_file() else None


def from_json(body: bytes, signature: Signature) -> Tensors:
    """`{"predictions": [value]}`, or of several outputs `{"predictions": [{name: value}]}`."""
    (said,) = orjson.loads(body)["predictions"]
    values = {signature.outputs[0].name: said} if len(signature.outputs) == 1 else said
    return {
        spec.name: np.array([values[spec.name]], object if spec.dtype == TEXT else spec.dtype)
        for spec in signature.outputs
    }
