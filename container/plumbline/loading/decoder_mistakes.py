"""The mistakes that decoders of detections are known for, each as a task that makes it.

A reference that was copied from elsewhere may hold one; hundreds of repositories share the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from plumbline.tasks.base import Task
from plumbline.tasks.detection import DetectionTask
from plumbline.tasks.detection_formats import Decode, PriorRows
from plumbline.vision import priors
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.boxes import FORMATS, Corners
from plumbline.vision.geometry import Geometry


def with_sizes(turned: Callable[[Corners], Corners]) -> Decode:
    """A decoder that moves the centre by other sides of the prior than its own."""

    def decode(offsets: Corners, boxes: Corners, variances: Corners) -> Corners:
        sizes = boxes[:, 2:] - boxes[:, :2]
        moved = offsets.copy()
        with np.errstate(all="ignore"):
            moved[:, :2] *= np.nan_to_num(turned(sizes) / sizes)
        return priors.decode(moved, boxes, variances)

    return decode


def without_variances(offsets: Corners, boxes: Corners, variances: Corners) -> Corners:
    """A decoder that leaves the variances out."""
    return priors.decode(offsets, boxes, np.ones_like(variances))


def swapped_offsets(offsets: Corners, boxes: Corners, variances: Corners) -> Corners:
    """A decoder that takes y before x."""
    return priors.decode(offsets[:, [1, 0, 3, 2]], boxes, variances)


OF_PRIORS: Mapping[str, Decode] = MappingProxyType(
    {
        "multiplies the vertical offset by the prior's width, where its height is meant": (
            with_sizes(lambda sizes: sizes[:, [0, 0]])
        ),
        "multiplies the horizontal offset by the prior's height, where its width is meant": (
            with_sizes(lambda sizes: sizes[:, [1, 1]])
        ),
        "leaves the variances out": without_variances,
        "takes the offsets as y, x, height, width, where x, y, width, height are meant": (
            swapped_offsets
        ),
    }
)

OF_ROWS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "swaps x and y: its rows are class, score, ymin, xmin, ymax, xmax": (
            lambda rows: rows[:, [0, 1, 3, 2, 5, 4]]
        ),
        "numbers the classes one too low (the background is class 0)": (
            lambda rows: rows - np.eye(1, 6)
        ),
        "numbers the classes one too high (the first class is 0)": (
            lambda rows: rows + np.eye(1, 6)
        ),
    }
)
"""What code may make of its rows of class, score and corners."""


class OtherRows(DetectionTask):
    """A detector whose user's code writes its rows in another way."""

    change: Callable[[Tensor], Tensor]

    def readings(self, outputs: Tensors, geometry: Geometry) -> tuple[Tensors, ...]:
        """See `Task.readings`."""
        *others, rows = super().readings(outputs, geometry)
        changed = {name: self.change(each).astype(np.float32) for name, each in rows.items()}
        return (*others, changed)


def mistaken(task: Task) -> Iterator[tuple[str, Task]]:
    """What a reference may do wrong, in words, and a task that does the same."""
    if not isinstance(task, DetectionTask):
        return
    if isinstance(task.reader, PriorRows):
        for words, decode in OF_PRIORS.items():
            yield words, changed(task, DetectionTask, reader=replace(task.reader, decode=decode))
    for words, change in OF_ROWS.items():
        yield words, changed(task, OtherRows, change=change)


def changed(task: DetectionTask, kind: type[DetectionTask], **attributes: Any) -> DetectionTask:
    """A copy of the task with other attributes."""
    copy = object.__new__(kind)
    copy.__dict__.update(vars(task) | attributes)
    return copy


def alternatives(task: Task) -> Iterator[tuple[str, Any, str]]:
    """Keys of `[detection]`, what they may say instead, and what that says about the mistake."""
    if not isinstance(task, DetectionTask):
        return
    if count := task.reader.numbering.count:
        last = "your reference code takes the last class for the background"
        yield "background", count - 1, last
        yield "background", 0, "your reference code takes class 0 for the background"
        yield "background", False, "your reference code has no background"
    for box_format in FORMATS if task.reader.box_format != "rel_xyxy" else ():
        yield "box_format", box_format, ""
    for nms in ("per-class", "agnostic", "none"):
        yield "nms", nms, ""
    for share in (0.3, 0.4, 0.45, 0.5, 0.6, 0.7):
        yield "nms_iou", share, ""
    for threshold in (0.0, 0.01, 0.05, 0.1, 0.25, 0.3, 0.4, 0.5, 0.6):
        yield "score_threshold", threshold, ""
