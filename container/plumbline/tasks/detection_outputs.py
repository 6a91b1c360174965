"""A model's outputs + what is declared → the reader of its detections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

from plumbline.errors import SpecError
from plumbline.signature import TEXT, Signature, TensorSpec
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import Detection, ModelSpec
from plumbline.tasks.class_names import Numbering
from plumbline.tasks.detection_formats import (
    DecidedRows,
    PriorRows,
    Reader,
    SeparateOutputs,
    YoloColumns,
    yolo_of,
)
from plumbline.tasks.undecoded_outputs import DECODED, OFFSETS
from plumbline.tasks.ways_out import FORMATS_IN_WORDS, OTHER_FORM, RAW
from plumbline.vision.boxes import FORMATS

USUAL_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "boxes": ("detection_boxes", "boxes", "bboxes", "bounding_boxes", "nmsed_boxes"),
        "scores": ("detection_scores", "scores", "confidence", "nmsed_scores"),
        "classes": ("detection_classes", "classes", "labels", "class_ids", "nmsed_classes"),
        "count": ("num_detections", "count", "valid_detections"),
    }
)
"""What outputs are called, by what they hold."""

API_NAMES = frozenset({"detection_boxes", "detection_scores", "detection_classes"})
"""TensorFlow's Object Detection API always has these."""

API_BOXES = "rel_yxyx"

YOLO_BOXES = "rel_center_xywh"
"""As exports to TensorFlow have them; other exports have pixels."""

API_ALL_CLASSES = ("detection_multiclass_scores", "raw_detection_scores")
"""Its further outputs, `[batch, n, classes]`, the background first."""

KERAS_NAMES = (
    frozenset({"boxes", "confidence", "classes"}),
    frozenset({"boxes", "confidence", "labels"}),
)
"""What KerasCV's and KerasHub's detectors give."""

BUILTIN_COLUMNS = 6

BESIDE_CLASSES = 12
"""Of an SSD's columns: four offsets, the prior's four corners, four variances."""


def by_own_names(signature: Signature) -> bool:
    """Whether the outputs are called as nothing but a detector's are."""
    names = {output.name for output in signature.outputs}
    return any(names >= known for known in (API_NAMES, *KERAS_NAMES))


def by_shapes(signature: Signature) -> bool:
    """Whether there is an output of rows that could be detections, or of boxes."""
    rows = [output.shape for output in signature.outputs if is_rows(output)]
    return any(shape[2] in (4, None) or shape[2] >= BUILTIN_COLUMNS for shape in rows)


def is_rows(output: TensorSpec) -> bool:
    """Whether an output is `[batch, n, columns]` of numbers."""
    return output.dtype != TEXT and len(output.shape) == 3


@dataclass(frozen=True)
class Outputs:
    """The outputs of a model whose task is declared to be detection."""

    spec: ModelSpec
    labels: tuple[str, ...]
    signature: Signature

    @property
    def declared(self) -> Detection:
        """What plumbline.toml says in `[detection]`."""
        return self.spec.detection

    @property
    def shapes(self) -> str:
        """All outputs, for an error."""
        return ", ".join(map(str, self.signature.outputs))

    @cached_property
    def numbers(self) -> Mapping[str, TensorSpec]:
        """The outputs of numbers by name."""
        return {output.name: output for output in self.signature.outputs if output.dtype != TEXT}

    def reader(self) -> Reader:
        """The reader of the declared format, or of the one that the outputs have.

        Raises `SpecError` where they don't fit, or where they could mean several things.
        """
        return READERS[self.declared.format or self.format()](self)

    def format(self) -> str:
        """The format, by the outputs. Raises `SpecError` if it could be any."""
        if self.numbers.keys() >= OFFSETS:
            raise SpecError(f"{FILE}: [detection] can't be read from the model: {DECODED}")
        named = self.declared.boxes, self.declared.scores
        if any(named) or all(self.part(role) for role in ("boxes", "scores")):
            return "boxes"
        only = self.candidates[0] if len(self.candidates) == 1 else None
        columns = only.shape[2] if only else None
        if columns == BUILTIN_COLUMNS:
            return "builtin"
        if columns and self.labels and columns - BESIDE_CLASSES - len(self.labels) in (0, 1):
            return "ssd"
        if only and self.labels and (found := yolo_of(only, len(self.labels))):
            return found
        raise SpecError(
            f"{FILE}: [detection] format is not set, and the model's outputs ({self.shapes}) could "
            f"mean several things, or nothing. {FORMATS_IN_WORDS}. {OTHER_FORM}"
        )

    def part(self, role: str) -> TensorSpec | None:
        """The output with the boxes, the scores, the classes or the count.

        Raises `SpecError` if one is declared that is not there.
        """
        name = getattr(self.declared, role)
        if name is None:
            taken = {getattr(self.declared, other) for other in USUAL_NAMES}
            usual = (name for name in USUAL_NAMES[role] if name not in taken)
            return next((self.numbers[name] for name in usual if name in self.numbers), None)
        if name not in self.numbers:
            raise SpecError(
                f"{FILE}: [detection] {role} = {name!r}, but it must be one of "
                f"{', '.join(self.numbers)}."
            )
        return self.numbers[name]

    @cached_property
    def candidates(self) -> Sequence[TensorSpec]:
        """The outputs that have rows of numbers, or the one of them that is declared."""
        wanted = self.spec.model.output
        return [
            output
            for output in self.numbers.values()
            if is_rows(output) and wanted in (None, output.name)
        ]

    def rows(self) -> TensorSpec:
        """The output that is declared, or the only one that has rows of numbers."""
        if len(self.candidates) == 1:
            return self.candidates[0]
        wanted = self.spec.model.output
        said = f"[model] output = {wanted!r}" if wanted else "[model] output is not set"
        raise SpecError(
            f"{FILE}: {said}, but it must name one output [batch, n, columns] of {self.shapes}. "
            f"{OTHER_FORM}"
        )

    def background(self, usual: int | None) -> int | None:
        """The class that means nothing is there, `usual` where nobody declared one."""
        if self.declared.background is False:
            return None
        return usual if self.declared.background is None else self.declared.background


def prior_rows(outputs: Outputs) -> PriorRows:
    """The reader of `ssd`. Raises `SpecError`."""
    rows, background = outputs.rows(), outputs.background(0)
    count = (rows.shape[2] or 0) - BESIDE_CLASSES
    least = 1 if background is None else max(2, background + 1)
    if count < least:
        raise SpecError(
            f'[detection] format = "ssd" needs an output [batch, priors, 4 + classes + 8] with at '
            f"least {least} classes, the background among them, but the model's is {rows}. "
            f"{FORMATS_IN_WORDS}. {OTHER_FORM}"
        )
    return PriorRows(rows, Numbering(count, background), outputs.declared.activation)


def decided_rows(outputs: Outputs) -> DecidedRows:
    """The reader of `builtin`. Raises `SpecError`."""
    rows = outputs.rows()
    if rows.shape[2] not in (BUILTIN_COLUMNS, None):
        raise SpecError(
            '[detection] format = "builtin" needs an output [batch, n, 6] of class, score, xmin, '
            f"ymin, xmax, ymax, but the model's is {rows}. {FORMATS_IN_WORDS}. {OTHER_FORM}"
        )
    return DecidedRows(rows, Numbering(background=outputs.background(None)))


def separate_outputs(outputs: Outputs) -> SeparateOutputs:
    """The reader of `boxes`. Raises `SpecError`."""
    boxes, scores = outputs.part("boxes"), outputs.part("scores")
    classes, count = outputs.part("classes"), outputs.part("count")
    if boxes is None or scores is None:
        raise SpecError(
            '[detection] format = "boxes" needs outputs with boxes and their scores. Say in '
            f"[detection] boxes and scores which of these they are: {outputs.shapes}. {OTHER_FORM}"
        )
    check_shapes(boxes, scores, classes, count)
    if len(scores.shape) == 2 and outputs.declared.activation == "softmax":
        raise SpecError(
            '[detection] activation = "softmax" needs a score for each class, but the model gives '
            f'one for each box ({scores}). Take "sigmoid", or "none" if the model has it inside.'
        )
    return SeparateOutputs(
        boxes,
        scores,
        classes,
        count,
        box_format(outputs, boxes),
        numbering(outputs, scores),
        outputs.declared.activation,
    )


def check_shapes(
    boxes: TensorSpec, scores: TensorSpec, classes: TensorSpec | None, count: TensorSpec | None
) -> None:
    """Raise `SpecError` if the outputs don't go together."""
    rows = {boxes.shape[1:2], scores.shape[1:2], classes.shape[1:2] if classes else (None,)}
    fits = (
        len(boxes.shape) == 3
        and boxes.shape[2] in (4, None)
        and len(scores.shape) in ((2,) if classes else (2, 3))
        and (classes is None or len(classes.shape) == 2)
        and (count is None or len(count.shape) in (1, 2))
        and len(rows - {(None,)}) <= 1
    )
    if not fits:
        given = (part for part in (boxes, scores, classes, count) if part)
        raise SpecError(
            '[detection] format = "boxes" needs boxes [batch, n, 4] with scores [batch, n] and '
            "classes [batch, n], or with scores [batch, n, classes] alone, and, if they are "
            f"counted, a count [batch], but the model's are {', '.join(map(str, given))}. "
            f"[detection] boxes, scores, classes and count name others. {OTHER_FORM}"
        )


def box_format(outputs: Outputs, boxes: TensorSpec) -> str:
    """How the boxes are written. Raises `SpecError` if nobody says it."""
    if outputs.declared.box_format:
        return outputs.declared.box_format
    if boxes.name in API_NAMES:
        return API_BOXES
    raise SpecError(
        f"{FILE}: [detection] box_format is not set, and nothing says how the model writes its "
        f"boxes ({boxes}). It must be one of {', '.join(map(repr, FORMATS))}: rel_ for numbers "
        f"from 0 to 1, else pixels of the model's input. {RAW}"
    )


def numbering(outputs: Outputs, scores: TensorSpec) -> Numbering:
    """How the classes are numbered, by the names or by the columns of the scores."""
    background = outputs.background(None)
    if len(scores.shape) == 3:
        return Numbering(scores.shape[2], background)
    if scores.name not in API_NAMES:
        return Numbering(background=background)
    beside = (outputs.numbers[name] for name in API_ALL_CLASSES if name in outputs.numbers)
    counts = [spec.shape[-1] for spec in beside if len(spec.shape) == 3]
    return Numbering(next(iter(counts), None), background, from_one=True)


def yolo_columns(outputs: Outputs, axis: int, beside: int) -> YoloColumns:
    """The reader of `yolo`, whose values lie along `axis`, the classes after so many others.

    Raises `SpecError`.
    """
    found = outputs.rows()
    length = found.shape[axis]
    if (length or 6) <= beside or outputs.declared.activation == "softmax":
        raise SpecError(
            f"[detection] format = {outputs.declared.format!r} needs at least one class, scored by "
            f'itself (activation "none" or "sigmoid"), but the model\'s output is {found}. '
            f"{FORMATS_IN_WORDS}. {OTHER_FORM}"
        )
    boxes = outputs.declared.box_format or YOLO_BOXES
    classes = Numbering(length and length - beside, outputs.background(None))
    return YoloColumns(found, boxes, classes, outputs.declared.activation, beside == 5)


READERS: Mapping[str, Callable[[Outputs], Reader]] = MappingProxyType(
    {
        "ssd": prior_rows,
        "boxes": separate_outputs,
        "builtin": decided_rows,
        "yolo": partial(yolo_columns, axis=1, beside=4),
        "yolov5": partial(yolo_columns, axis=2, beside=5),
    }
)
