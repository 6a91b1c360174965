"""The scores of the validation pictures → what the job's report shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from plumbline.training.classifiers.validation import Validation
from plumbline.training.reports.classification_report import write_report
from plumbline.training.reports.confusion import confusion
from plumbline.training.reports.outcome import MOST_MISTAKES, ClassificationReport, Mistake
from plumbline.vision.arrays import Tensor
from plumbline.vision.images import decode


def write(
    folder: Path,
    validation: Validation,
    scores: Tensor,
    labels: Sequence[str],
    history: Sequence[Mapping[str, float]],
    summary: Mapping[str, str],
) -> None:
    """Write report.html and report.png. Raises `OSError`.

    Where a picture may be of several classes there is no confusion, and no report.
    """
    if validation.several:
        return
    truth, found = validation.truth.argmax(axis=-1), scores.argmax(axis=-1)
    matrix = confusion(truth, found, validation.classes)
    wrong = np.flatnonzero(truth != found)
    surest = wrong[np.argsort(-scores[wrong, found[wrong]], kind="stable")][:MOST_MISTAKES]
    mistakes = [
        mistake(validation, number, labels[truth[number]], labels[found[number]], scores[number])
        for number in surest.tolist()
    ]
    title = "Image classification"
    write_report(folder, ClassificationReport(title, summary, history, labels, matrix, mistakes))


def mistake(validation: Validation, number: int, truth: str, found: str, scores: Tensor) -> Mistake:
    """One picture as it was sent, and what it was taken for."""
    entry, how = validation.pictures.entries[number], validation.pictures.how
    pixels = decode(
        entry.read(),
        color="rgb",
        exif=how.preprocess.exif,
        limits=how.limits,
        decoder=how.preprocess.decoder,
    )
    return Mistake(pixels, entry.name, truth, found, float(scores.max()))
