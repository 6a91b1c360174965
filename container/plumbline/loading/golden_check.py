"""The golden check: what training gave for some pictures, and what the pipeline gives."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

from plumbline.archive.contents import Archive, GoldenPicture
from plumbline.errors import ArchiveError, GoldenMismatch, ImageError
from plumbline.loading.likely_causes import explain
from plumbline.parity.differences import Difference, mismatch
from plumbline.pipeline.model_inputs import check_pictures, prepared
from plumbline.pipeline.picture_view import seen
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.images import Limits

log = logging.getLogger("plumbline.loading")

LOAD_SECONDS = 480.0
"""SageMaker gives a container eight minutes to become healthy."""


class Measured(GoldenMismatch):
    """A mismatch of so many pictures: the largest difference is `ratio` times what is allowed."""

    def __init__(self, message: str, pictures: int, ratio: float) -> None:
        super().__init__(message)
        self.pictures = pictures
        self.ratio = ratio


def time_left() -> float:
    """The deadline of everything that happens while loading."""
    return LOAD_SECONDS


def check_goldens(pipeline: Pipeline, archive: Archive, budget: float | None = None) -> Pipeline:
    """Compare every golden picture's outputs. Raises `GoldenMismatch` at the worst.

    The pipeline that comes back knows how far they were off. `budget` is what an accelerated form
    may be off; why it is off by more, nobody asks.
    """
    if not archive.goldens:
        return pipeline
    if pipeline.incomparable:
        log.warning("The golden pictures were not compared: %s.", pipeline.incomparable)
        return pipeline
    tolerance = archive.spec.golden.tolerance if budget is None else budget
    found = {golden.name: check_golden(pipeline, golden) for golden in archive.goldens}
    worst = max(archive.goldens, key=lambda golden: found[golden.name].largest)
    ratio = share(found[worst.name].largest, tolerance)
    if not found[worst.name].within(tolerance):
        cause = explain(pipeline, archive.goldens, worst) if budget is None else ""
        raise Measured(mismatch(found, tolerance, cause), len(found), ratio)
    log.info(
        "%d golden pictures came out right; the largest difference is %.3g.",
        len(found),
        found[worst.name].largest,
    )
    facts = replace(pipeline.facts, goldens=len(found), worst_ratio=ratio)
    return replace(pipeline, facts=facts)


def share(difference: float, tolerance: float) -> float:
    """A difference as a share of what is allowed, which may be nothing."""
    if tolerance:
        return difference / tolerance
    return math.inf if difference else 0.0


def check_decodable(archive: Archive, spec: ModelSpec, signature: Signature) -> None:
    """Raise `ArchiveError`, as loading would, where a golden picture of a model is damaged."""
    if archive.code or check_pictures(spec, signature):
        return
    target = seen(spec, signature).input()
    for golden in archive.goldens:
        try:
            prepared(golden.picture, spec, target, Limits(), Stopwatch())
        except ImageError as exc:
            raise unusable(golden, exc) from exc


def unusable(golden: GoldenPicture, error: ImageError) -> ArchiveError:
    """The error for a golden picture that can't be read."""
    return ArchiveError(
        f"The golden picture {golden.name} can't be used: {error} Replace it, and "
        "pack the archive again with plumbline pack --golden."
    )


def check_golden(pipeline: Pipeline, golden: GoldenPicture) -> Difference:
    """How far one golden picture's outputs are from what they should be."""
    try:
        return pipeline.compare(golden.picture, golden.expected, time_left)
    except ImageError as exc:
        raise unusable(golden, exc) from exc
