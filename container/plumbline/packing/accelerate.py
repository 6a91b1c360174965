"""Packing's last step: the network in OpenVINO's own format, proven against the original."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plumbline import accelerated
from plumbline.accelerated import FOLDER, NETWORK, PRECISIONS, Accelerated
from plumbline.archive import Archive
from plumbline.arrays import Tensors
from plumbline.engines.openvino import convert, load_network
from plumbline.errors import PlumblineError
from plumbline.inputs import Prepared, prepared, stacked
from plumbline.parity import compare
from plumbline.pipeline import Pipeline
from plumbline.signature import TEXT, Signature
from plumbline.stopwatch import Stopwatch

SECONDS = 120.0
"""The deadline of one picture."""

TIMED = 1.0
"""Seconds that each form is timed for."""


@dataclass(frozen=True)
class Form:
    """One way to compute the model, beside the original."""

    name: str
    largest: float = 0.0
    """The largest |difference| of any output value of any picture."""
    agreement: float = 1.0
    """The share of pictures with the same answer."""
    rate: float = 0.0
    """Pictures a second, one at a time."""
    kept: bool = False


@dataclass(frozen=True)
class Acceleration:
    """What packing found: every form that was tried, the original first, or why there is none."""

    forms: tuple[Form, ...] = ()
    reason: str = ""


def accelerate(
    folder: Path, archive: Archive, pipeline: Pipeline, pictures: Sequence[bytes], cores: int
) -> Acceleration:
    """Write `accelerated/` into the archive's folder, if a form stays within the budget.

    `pipeline` is the original's, `pictures` what both are held against.
    """
    if not pictures:
        return Acceleration(reason="there are no golden pictures to prove it with")
    if not by_pictures(pipeline.engine.signature):
        return Acceleration(reason="it has an output of texts, or one without an axis for pictures")
    if not independent(pipeline, pictures):
        return Acceleration(reason="its answer for a picture depends on what else is in the batch")
    try:
        target = folder / FOLDER / NETWORK
        convert(archive.model.path, pipeline.engine.signature, target)
        originals = [pipeline.values(picture, lambda: SECONDS) for picture in pictures]
        tried = [
            measured(precision, target, pipeline, pictures, originals, cores)
            for precision in PRECISIONS
        ]
    except PlumblineError as exc:
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        return Acceleration(reason=exc.message)
    return kept(folder, archive, pipeline, tried, pictures[0])


def by_pictures(signature: Signature) -> bool:
    """Whether every output is of numbers, and has as many rows as there are pictures."""
    rows = ((None,), signature.input().shape[:1])
    return all(spec.dtype != TEXT and spec.shape[:1] in rows for spec in signature.outputs)


def independent(pipeline: Pipeline, pictures: Sequence[bytes]) -> bool:
    """Whether two pictures together are answered as each alone; OpenVINO computes them alone."""
    target = pipeline.engine.signature.input()
    made = [one(pipeline, picture) for picture in (pictures[0], pictures[-1])]
    if target.shape[:1] != (None,) or made[0].tensor.shape != made[1].tensor.shape:
        return True
    pair = pipeline.engine.run({target.name: stacked(made, target)}, SECONDS)
    alone = [pipeline.engine.run({target.name: stacked([each], target)}, SECONDS) for each in made]
    return all(
        compare(
            values, {name: output[number : number + 1] for name, output in pair.items()}
        ).within(pipeline.spec.golden.tolerance)
        for number, values in enumerate(alone)
    )


def one(pipeline: Pipeline, picture: bytes) -> Prepared:
    """A picture as the model takes it."""
    target = pipeline.engine.signature.input()
    return prepared(picture, pipeline.spec, target, pipeline.limits, Stopwatch())


def measured(
    precision: str,
    target: Path,
    pipeline: Pipeline,
    pictures: Sequence[bytes],
    originals: Sequence[Tensors],
    cores: int,
) -> Form:
    """How one precision compares with the original."""
    engine = load_network(target, pipeline.engine.signature, precision, cores)
    other = replace(pipeline, engine=engine)
    found = [other.values(picture, lambda: SECONDS) for picture in pictures]
    pairs = list(zip(originals, found, strict=True))
    budget = pipeline.spec.acceleration
    largest = max(compare(original, values).largest for original, values in pairs)
    agreement = float(np.mean([pipeline.task.agreement(*pair) for pair in pairs]))
    return Form(
        precision,
        largest,
        agreement,
        rate(other, pictures[0]),
        kept=largest <= budget.max_difference and agreement >= budget.min_agreement,
    )


def rate(pipeline: Pipeline, picture: bytes) -> float:
    """Pictures a second that the engine computes, one after the other."""
    target = pipeline.engine.signature.input()
    inputs = {target.name: stacked([one(pipeline, picture)], target)}
    pipeline.engine.run(inputs, SECONDS)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < TIMED:
        pipeline.engine.run(inputs, SECONDS)
        count += 1
    return count / spent


def kept(
    folder: Path, archive: Archive, pipeline: Pipeline, tried: Sequence[Form], picture: bytes
) -> Acceleration:
    """Keep the forms that are within the budget; remove the network if none is.

    Which is the fastest, the machine that serves them finds out: it is another one, and the same
    inputs make the same archive.
    """
    original = Form(pipeline.engine.name, rate=rate(pipeline, picture), kept=True)
    names = tuple(form.name for form in reversed(tried) if form.kept)
    if not names:
        shutil.rmtree(folder / FOLDER)
        return Acceleration((original, *tried), "no form stays within [acceleration]'s budget")
    written = Accelerated(
        folder / FOLDER / NETWORK,
        archive.model.path.relative_to(folder).as_posix(),
        archive.spec.model.signature,
        pipeline.engine.signature,
        names,
    )
    accelerated.write(folder / FOLDER, written, [told(form) for form in tried])
    return Acceleration((original, *tried))


def told(form: Form) -> dict[str, Any]:
    """What the archive keeps of a form: nothing that differs from run to run."""
    return {
        "precision": form.name,
        "largest_difference": float(f"{form.largest:.2g}"),
        "agreement": form.agreement,
    }
