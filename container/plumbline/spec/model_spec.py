"""plumbline.toml → frozen values; every error names the key, the value and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from plumbline.errors import SpecError
from plumbline.spec.checks import (
    FILE,
    Check,
    boolean,
    budget,
    fraction,
    image_size,
    inner_path,
    list_of,
    one_of,
    positive,
    read_table,
    string,
    table,
    whole,
    wrong,
)
from plumbline.spec.fit_values import fit
from plumbline.spec.scaling import normalization
from plumbline.vision.boxes import FORMATS
from plumbline.vision.decoders import DECODERS
from plumbline.vision.fit import Fit
from plumbline.vision.images import COLORS
from plumbline.vision.normalize import NORMALIZATIONS, Normalization
from plumbline.vision.resize import FILTERS

TASKS = ("classification", "detection", "segmentation", "raw")

ACTIVATIONS = ("none", "softmax", "sigmoid")

RESPONSES = ("typed", "builtin")

DETECTION_FORMATS = ("ssd", "boxes", "builtin", "yolo", "yolov5")

SUPPRESSIONS = ("per-class", "agnostic", "none")


@dataclass(frozen=True)
class ModelChoice:
    """`[model]`: which of the archive's models, signatures and outputs is meant."""

    path: str | None = None
    signature: str = "serving_default"
    output: str | None = None


@dataclass(frozen=True)
class Preprocess:
    """`[preprocess]`: bytes → tensor.

    `size` is (height, width), None for the model's own; with `keep_size` pictures stay as large as
    they are, for models that resize them themselves; `pillow` is the major version of Pillow
    whose order of rows and columns is followed, None for the one that is installed.
    """

    decoder: str = "pillow"
    exif: bool = True
    color: str = "rgb"
    size: tuple[int, int] | None = None
    keep_size: bool = False
    fit: str | Fit = "stretch"
    resize: str = "pillow-bilinear"
    normalize: str | Normalization = "none"
    pillow: int | None = None


@dataclass(frozen=True)
class Classification:
    """`[classification]`: what is done with the scores.

    With a `threshold` (one, or one for each class) the classes are not exclusive: all that reach
    theirs are answered.
    """

    activation: str = "none"
    top_k: int = 5
    threshold: float | tuple[float, ...] | None = None


@dataclass(frozen=True)
class Detection:
    """`[detection]`: how boxes are read from the outputs, and which are kept.

    None in `format`, `box_format`, `nms`, `background`, `first_class` and the outputs' names lets
    the model's outputs decide; `background` is false where there is none.
    """

    format: str | None = None
    box_format: str | None = None
    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    count: str | None = None
    background: int | Literal[False] | None = None
    first_class: int | None = None
    activation: str = "none"
    score_threshold: float = 0.2
    nms: str | None = None
    nms_iou: float = 0.45
    max_candidates: int = 400
    max_detections: int = 200


@dataclass(frozen=True)
class Segmentation:
    """`[segmentation]`: how the class of a pixel is found, and how it is drawn.

    `threshold` is for an output of one channel, the probability of class 1.
    """

    activation: str = "none"
    threshold: float = 0.5
    palette: tuple[tuple[int, int, int], ...] | None = None


@dataclass(frozen=True)
class Response:
    """`[response]`: the form of JSON, `typed` or `builtin`, where a request does not say."""

    format: str = "typed"


@dataclass(frozen=True)
class Acceleration:
    """`[acceleration]`: what a faster form may be off, and the share of answers it must keep.

    With an infinite `max_difference`, agreement alone decides.
    """

    max_difference: float = 1e-5
    min_agreement: float = 1.0


@dataclass(frozen=True)
class Golden:
    """`[golden]`: the folder of golden pictures and the largest |difference| allowed."""

    images: str = "golden"
    tolerance: float = 1e-5


@dataclass(frozen=True)
class ModelSpec:
    """All that plumbline.toml says."""

    task: str = "classification"
    labels: str | tuple[str, ...] | None = None
    model: ModelChoice = field(default_factory=ModelChoice)
    preprocess: Preprocess = field(default_factory=Preprocess)
    classification: Classification = field(default_factory=Classification)
    detection: Detection = field(default_factory=Detection)
    segmentation: Segmentation = field(default_factory=Segmentation)
    response: Response = field(default_factory=Response)
    acceleration: Acceleration = field(default_factory=Acceleration)
    golden: Golden = field(default_factory=Golden)
    declared: frozenset[str] = field(default=frozenset(), compare=False)
    """The keys and tables at the top of the file that are there."""


def parse(text: str) -> ModelSpec:
    """The spec that `text` (TOML) declares. Raises `SpecError`."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # also for a number of thousands of digits
        raise SpecError(f"{FILE} is not valid TOML: {exc}.") from exc
    return read_document(document)


def read_document(document: Mapping[str, Any]) -> ModelSpec:
    """The spec of a parsed document."""
    return ModelSpec(**read_table(document, "", TOP), declared=frozenset(document))


def label_source(key: str, value: Any) -> str | tuple[str, ...]:
    """A check for a file of labels or the labels themselves."""
    if isinstance(value, list) and value and all(isinstance(label, str) for label in value):
        return tuple(value)
    if isinstance(value, str):
        return inner_path(key, value)
    raise wrong(key, value, "a file with one label a line, or a list of texts")


def thresholds(key: str, value: Any) -> float | tuple[float, ...]:
    """A check for a threshold, or a list of one for each class."""
    if isinstance(value, list):
        each: tuple[float, ...] = list_of(fraction, "numbers from 0 to 1")(key, value)
        return each
    return fraction(key, value)


def background(key: str, value: Any) -> int | Literal[False]:
    """A check for the number of the class that means nothing is there, or false for none."""
    return False if value is False else int(whole(0, 100_000)(key, value))


def color(key: str, value: Any) -> tuple[int, int, int]:
    """A check for [red, green, blue]."""
    channel = whole(0, 255)
    if not isinstance(value, list) or len(value) != 3:
        raise wrong(key, value, "[red, green, blue], such as [220, 20, 60]")
    red, green, blue = (channel(f"{key}[{place}]", each) for place, each in enumerate(value))
    return red, green, blue


def for_its_color(check: Check) -> Check:
    """A check that gray pictures are not normalised by numbers for three channels."""

    def checked(key: str, value: Any) -> Preprocess:
        declared: Preprocess = check(key, value)
        steps = declared.normalize
        steps = NORMALIZATIONS[steps] if isinstance(steps, str) else steps
        if declared.color.endswith("gray") and max(len(steps.mean), len(steps.std)) > 1:
            reason = f"for one channel, as {key}.color is {declared.color!r}"
            raise wrong(f"{key}.normalize", value["normalize"], reason)
        if declared.fit == "pillow-fit" and (
            declared.pillow is not None or not declared.resize.startswith("pillow-")
        ):
            reason = "one of Pillow's filters, and no other Pillow than the one installed"
            raise wrong(f"{key}.resize", value.get("resize"), f"{reason}, with fit = 'pillow-fit'")
        return declared

    return checked


PREPROCESS: Mapping[str, Check] = {
    "decoder": one_of(*DECODERS),
    "exif": boolean,
    "color": one_of(*COLORS),
    "size": image_size,
    "keep_size": boolean,
    "fit": fit,
    "resize": one_of(*FILTERS),
    "normalize": normalization,
    "pillow": whole(1, 99),
}

CLASSIFICATION: Mapping[str, Check] = {
    "activation": one_of(*ACTIVATIONS),
    "top_k": whole(1, 1000),
    "threshold": thresholds,
}

DETECTION: Mapping[str, Check] = {
    "format": one_of(*DETECTION_FORMATS),
    "box_format": one_of(*FORMATS),
    "boxes": string,
    "scores": string,
    "classes": string,
    "count": string,
    "background": background,
    "first_class": whole(0, 1),
    "activation": one_of(*ACTIVATIONS),
    "score_threshold": fraction,
    "nms": one_of(*SUPPRESSIONS),
    "nms_iou": fraction,
    "max_candidates": whole(1, 100_000),
    "max_detections": whole(1, 100_000),
}

SEGMENTATION: Mapping[str, Check] = {
    "activation": one_of(*ACTIVATIONS),
    "threshold": fraction,
    "palette": list_of(color, "colours [red, green, blue]"),
}

TOP: Mapping[str, Check] = {
    "task": one_of(*TASKS),
    "labels": label_source,
    "model": table(ModelChoice, {"path": inner_path, "signature": string, "output": string}),
    "preprocess": for_its_color(table(Preprocess, PREPROCESS)),
    "classification": table(Classification, CLASSIFICATION),
    "detection": table(Detection, DETECTION),
    "segmentation": table(Segmentation, SEGMENTATION),
    "response": table(Response, {"format": one_of(*RESPONSES)}),
    "acceleration": table(Acceleration, {"max_difference": budget, "min_agreement": fraction}),
    "golden": table(Golden, {"images": inner_path, "tolerance": positive}),
}
"""Every key of the file, and what its value must be."""
