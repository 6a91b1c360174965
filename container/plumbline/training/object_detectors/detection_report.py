"""What was found in the validation pictures → what the job's report shows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plumbline.parity.agreement import SAME_BOX, matched
from plumbline.results.drawing.render import draw
from plumbline.results.task_results import Detections
from plumbline.training.object_detectors.box_validation import Judged
from plumbline.training.object_detectors.boxed_pictures import BoxedPictures
from plumbline.training.reports.detection_page import (
    MOST_PICTURES,
    ClassPrecision,
    DetectionReport,
    Drawn,
)
from plumbline.vision.arrays import Tensor
from plumbline.vision.geometry import Geometry
from plumbline.vision.images import to_draw_on


@dataclass(frozen=True)
class Mistakes:
    """In a picture: true boxes that were not found, and boxes that are none."""

    number: int
    missed: int
    wrong: int


def report_of(
    pictures: BoxedPictures, judged: Judged, labels: Sequence[str], threshold: float
) -> DetectionReport:
    """The classes, and the worst pictures with the boxes that are surer than the threshold."""
    found = [surest(each, threshold) for each in judged.found]
    ranked = sorted(mistakes(pictures, found), key=lambda each: -(each.missed + each.wrong))
    worst = [each for each in ranked if each.missed + each.wrong][:MOST_PICTURES]
    drawn = [draw_both(pictures, each, found[each.number], labels) for each in worst]
    return DetectionReport("Object detection", {}, (), classes(pictures, judged, labels), drawn)


def surest(found: Detections, threshold: float) -> Detections:
    """Those that the endpoint answers with."""
    sure = found.scores > np.float32(threshold)
    return replace(
        found,
        boxes=found.boxes[sure],
        scores=found.scores[sure],
        class_ids=found.class_ids[sure],
        labels=tuple(np.array(found.labels, object)[sure].tolist()),
    )


def mistakes(pictures: BoxedPictures, found: Sequence[Detections]) -> Iterator[Mistakes]:
    """Those of each picture, at an overlap of 0.5."""
    for number, (entry, each) in enumerate(zip(pictures.entries, found, strict=True)):
        true, rows = entry.label.truth, each.array()
        right = sum(
            int(matched(of(true, class_id), of(rows, class_id), (SAME_BOX,)).sum())
            for class_id in np.unique(rows[:, 0])
        )
        yield Mistakes(number, len(true) - right, len(rows) - right)


def of(rows: Tensor, class_id: float) -> Tensor:
    """The corners `[n, 4]` of a class."""
    return rows[rows[:, 0] == class_id, 2:]


def draw_both(
    pictures: BoxedPictures, each: Mistakes, found: Detections, labels: Sequence[str]
) -> Drawn:
    """A picture, upright, with its true boxes, and with those that were found."""
    entry, how = pictures.entries[each.number], pictures.how
    pixels = to_draw_on(
        entry.read(), color=how.preprocess.color, exif=how.preprocess.exif, limits=how.limits
    )
    true, geometry = entry.label, entry.label.geometry
    truth = Detections(
        np.array(true.upright, np.float64).reshape(-1, 4),
        np.ones(len(true.class_ids), np.float32),
        np.array(true.class_ids, np.intp),
        tuple(labels[number] for number in true.class_ids),
        Geometry.whole(geometry.upright, geometry.orientation),
    )
    told = f"{each.missed} missed, {each.wrong} wrong"
    shown, answered = (np.asarray(draw(boxes, pixels)) for boxes in (truth, found))
    return Drawn(entry.name, shown, answered, told)


def classes(pictures: BoxedPictures, judged: Judged, labels: Sequence[str]) -> list[ClassPrecision]:
    """What boxes of each class are worth."""
    ids = [number for entry in pictures.entries for number in entry.label.class_ids]
    counts = np.bincount(ids, minlength=len(labels))
    return [
        ClassPrecision(labels[number], int(counts[number]), float(each[0]), float(each.mean()))
        for number, each in judged.precisions.items()
    ]
