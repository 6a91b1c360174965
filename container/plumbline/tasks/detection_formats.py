"""How a detector's outputs hold what it found: a reader for each format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plumbline.signature import TensorSpec
from plumbline.tasks.class_names import Numbering
from plumbline.vision import priors
from plumbline.vision.activations import ACTIVATIONS
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.boxes import Corners, Indices, corners

Scores = NDArray[np.float32]

Decode = Callable[[Corners, Corners, Corners], Corners]
"""Offsets, priors and variances → boxes."""


@dataclass(frozen=True)
class Proposals:
    """What a model proposes for one picture.

    `boxes` `[n, 4]` are corners; each has `scores` `[n, columns]` for the classes `class_ids`,
    which are `[n, columns]` too, or `[1, columns]` where they are the same for every box.
    """

    boxes: Corners
    scores: Scores
    class_ids: Indices

    def best_of_each(self) -> Proposals:
        """Each box with its best class alone; of equal scores the first."""
        best = self.scores.argmax(axis=1)[:, None]
        class_ids = np.broadcast_to(self.class_ids, self.scores.shape)
        return Proposals(
            self.boxes,
            np.take_along_axis(self.scores, best, axis=1),
            np.take_along_axis(class_ids, best, axis=1),
        )


class Reader(Protocol):
    """One format, fitted to a model's outputs."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that are read."""

    @property
    def box_format(self) -> str:
        """The format of the model's boxes; the proposals' are corners in its units."""

    @property
    def nms(self) -> str:
        """Which suppression the model leaves to others."""

    @property
    def numbering(self) -> Numbering:
        """The numbers of its classes."""

    def read(self, outputs: Tensors, number: int) -> Proposals:
        """What is proposed for one picture of the batch."""


@dataclass(frozen=True)
class PriorRows:
    """`ssd`: rows `[batch, priors, 4 + classes + 8]` of offsets, scores, prior and variances."""

    rows: TensorSpec
    numbering: Numbering
    activation: str
    decode: Decode = priors.decode

    box_format = "rel_xyxy"
    nms = "per-class"

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The only one."""
        return (self.rows,)

    def read(self, outputs: Tensors, number: int) -> Proposals:
        """Every prior, moved, with the scores of all classes but the background."""
        rows = outputs[self.rows.name][number].astype(np.float32, copy=False)
        boxes = self.decode(rows[:, :4], rows[:, -8:-4], rows[:, -4:])
        scores = ACTIVATIONS[self.activation](rows[:, 4:-8])
        return in_columns(boxes, scores, self.numbering.background)


@dataclass(frozen=True)
class DecidedRows:
    """`builtin`: rows `[batch, n, 6]` of class, score, xmin, ymin, xmax, ymax, 0..1."""

    rows: TensorSpec
    numbering: Numbering

    box_format = "rel_xyxy"
    nms = "none"

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The only one."""
        return (self.rows,)

    def read(self, outputs: Tensors, number: int) -> Proposals:
        """Every row."""
        rows = outputs[self.rows.name][number].astype(np.float32, copy=False)
        return Proposals(rows[:, 2:], rows[:, 1:2], to_class_ids(rows[:, :1]))


YOLO: Mapping[str, tuple[int, int]] = MappingProxyType({"yolo": (1, 4), "yolov5": (2, 5)})
"""The axis that a box's values lie along, and how many of them are of no class."""


def yolo_of(output: TensorSpec, classes: int) -> str | None:
    """The format of an output `[batch, …, …]` that has a value for each of so many classes."""
    for name, (axis, beside) in YOLO.items():
        columns, boxes = output.shape[axis], output.shape[3 - axis]
        if columns == beside + classes and (boxes is None or boxes > columns):
            return name
    return None


@dataclass(frozen=True)
class YoloColumns:
    """`yolo`: columns `[batch, 4 + classes, n]` of a box and its scores, nothing suppressed.

    With `objectness`, `yolov5`: rows `[batch, n, 5 + classes]` with a score of the box in between.
    """

    columns: TensorSpec
    box_format: str
    numbering: Numbering
    activation: str
    objectness: bool

    nms = "per-class"

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The only one."""
        return (self.columns,)

    def read(self, outputs: Tensors, number: int) -> Proposals:
        """Every box, with its scores of all classes."""
        values = outputs[self.columns.name][number].astype(np.float32, copy=False)
        rows = values if self.objectness else values.T
        boxes = corners(rows[:, :4], self.box_format)
        activate = ACTIVATIONS[self.activation]
        scores = activate(rows[:, 5 if self.objectness else 4 :])
        if self.objectness:
            scores = scores * activate(rows[:, 4:5])
        return in_columns(boxes, scores, self.numbering.background)


@dataclass(frozen=True)
class SeparateOutputs:
    """`boxes`: boxes `[batch, n, 4]` and their scores, with each one's class or for every class.

    `scores` are `[batch, n]` or `[batch, n, classes]`, `classes` `[batch, n]`, and `count`, how
    many of them mean something, `[batch]` or `[batch, 1]`.
    """

    boxes: TensorSpec
    scores: TensorSpec
    classes: TensorSpec | None
    count: TensorSpec | None
    box_format: str
    numbering: Numbering
    activation: str

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Those that are there."""
        parts = (self.boxes, self.scores, self.classes, self.count)
        return tuple(part for part in parts if part is not None)

    @property
    def nms(self) -> str:
        """A model that counts its boxes, or chose a class for each, has done it already."""
        return "none" if self.classes or self.count else "per-class"

    def read(self, outputs: Tensors, number: int) -> Proposals:
        """The boxes, as far as they are counted."""
        counted = slice(None if self.count is None else count_of(outputs[self.count.name], number))
        boxes = corners(outputs[self.boxes.name][number, counted], self.box_format)
        scores = outputs[self.scores.name][number, counted].astype(np.float32, copy=False)
        scores = ACTIVATIONS[self.activation](scores if scores.ndim == 2 else scores[:, None])
        if self.classes is None:
            return in_columns(boxes, scores, self.numbering.background)
        class_ids = to_class_ids(outputs[self.classes.name][number, counted, None])
        return Proposals(boxes, scores, class_ids)


def in_columns(boxes: Corners, scores: Scores, background: int | None) -> Proposals:
    """Of scores `[n, classes]` those that are not for the background."""
    class_ids = np.arange(scores.shape[1])
    wanted = class_ids != background
    return Proposals(boxes, scores[:, wanted], class_ids[None, wanted])


def to_class_ids(values: Tensor) -> Indices:
    """Numbers of classes, which models give as floats, too; what is not a number is negative."""
    return np.nan_to_num(np.rint(values), nan=-1, posinf=-1, neginf=-1).astype(np.intp)


def count_of(counts: Tensor, number: int) -> int:
    """The count of one picture; none where it is not a number."""
    count = counts.reshape(len(counts), -1)[number, 0]
    return max(0, int(np.nan_to_num(count, nan=0, posinf=0)))
