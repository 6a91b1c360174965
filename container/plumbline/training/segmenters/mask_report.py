"""What became of the validation pictures → what the job's report shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.training.reports.segmentation_report import (
    MOST_PICTURES,
    Compared,
    SegmentationReport,
    write_report,
)
from plumbline.training.segmenters.mask_validation import Judgement, MaskValidation, mean_iou
from plumbline.vision.images import decode


def write(
    folder: Path,
    validation: MaskValidation,
    judgement: Judgement,
    network: Any,
    history: Sequence[Mapping[str, float]],
    summary: Mapping[str, str],
) -> None:
    """Write report.html and report.png. Raises `OSError`."""
    pixels = judgement.counts.sum(axis=(0, 2))
    scores = np.array([mean_iou(counts) for counts in judgement.counts])
    scores[judgement.counts.sum(axis=(1, 2)) == 0] = np.inf  # nothing there counts
    worst = np.argsort(scores, kind="stable")[:MOST_PICTURES].tolist()
    report = SegmentationReport(
        "Semantic segmentation",
        summary,
        history,
        validation.labels,
        judgement.ious.tolist(),
        (pixels / max(1, pixels.sum())).tolist(),
        [compared(validation, number, network, float(scores[number])) for number in worst],
    )
    write_report(folder, report)


def compared(validation: MaskValidation, number: int, network: Any, iou: float) -> Compared:
    """One picture as it was sent, its true mask, and the one that was found."""
    entry, how = validation.pictures.entries[number], validation.pictures.how
    numbers = range(number, number + 1)
    [(truth, geometry)] = validation.pictures.truths(numbers)
    logits, _ = validation.asked(network, numbers)
    pixels = decode(
        entry.read(),
        color="rgb",
        exif=how.preprocess.exif,
        limits=how.limits,
        decoder=how.preprocess.decoder,
    )
    return Compared(pixels, entry.name, truth, validation.mask(logits[0], geometry), iou)
