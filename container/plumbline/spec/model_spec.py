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
    budget,
    fraction,
    inner_path,
    one_of,
    positive,
    read_table,
    table,
)
from plumbline.spec.known_keys import (
    CLASSIFICATION,
    DETECTION,
    IMAGE,
    MODEL,
    PREPROCESS,
    RESPONSES,
    SEGMENTATION,
    TASKS,
    for_its_color,
    label_source,
)
from plumbline.vision.fit import Fit
from plumbline.vision.normalize import Normalization


@dataclass(frozen=True)
class ModelChoice:
    """`[model]`: which of the archive's models, signatures and outputs is meant."""

    path: str | None = None
    signature: str = "serving_default"
    output: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Values of the inputs that pictures don't go to, for every picture."""


@dataclass(frozen=True)
class Preprocess:
    """`[preprocess]`: bytes → tensor.

    `layout` None is the one that the model's input has; `size` is (height, width), None for the
    model's own; with `keep_size` pictures stay as large as they are, for models that resize them
    themselves, and with `multiple_of` they are padded with black, right and below, to sides that
    are multiples of it; `pillow` is the major version of Pillow whose order of rows and columns is
    followed, None for the one that is installed.
    """

    decoder: str = "pillow"
    exif: bool = True
    color: str = "rgb"
    layout: str | None = None
    size: tuple[int, int] | None = None
    keep_size: bool = False
    multiple_of: int | None = None
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
class ImageOutput:
    """`[image]`: which of the output's values are black and white; None where it is of bytes."""

    range: tuple[float, float] | None = None


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
    image: ImageOutput = field(default_factory=ImageOutput)
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
        raise SpecError(
            f"{FILE} is not valid TOML: {exc}. Texts stand in quotes, numbers, true and false "
            "don't, and each key once below its [table]."
        ) from exc
    return read_document(document)


def read_document(document: Mapping[str, Any]) -> ModelSpec:
    """The spec of a parsed document."""
    return ModelSpec(**read_table(document, "", TOP), declared=frozenset(document))


TOP: Mapping[str, Check] = {
    "task": one_of(*TASKS),
    "labels": label_source,
    "model": table(ModelChoice, MODEL),
    "preprocess": for_its_color(table(Preprocess, PREPROCESS)),
    "classification": table(Classification, CLASSIFICATION),
    "detection": table(Detection, DETECTION),
    "segmentation": table(Segmentation, SEGMENTATION),
    "image": table(ImageOutput, IMAGE),
    "response": table(Response, {"format": one_of(*RESPONSES)}),
    "acceleration": table(Acceleration, {"max_difference": budget, "min_agreement": fraction}),
    "golden": table(Golden, {"images": inner_path, "tolerance": positive}),
}
"""Every key of the file, and what its value must be."""
