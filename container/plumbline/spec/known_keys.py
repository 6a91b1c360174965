"""What the keys of plumbline.toml's tables may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from plumbline.spec.checks import (
    Check,
    boolean,
    fraction,
    image_size,
    inner_path,
    list_of,
    number,
    one_of,
    string,
    whole,
    wrong,
)
from plumbline.spec.fit_values import fit
from plumbline.spec.scaling import normalization
from plumbline.vision.boxes import FORMATS
from plumbline.vision.decoders import DECODERS
from plumbline.vision.images import CHANNELS, COLORS, DEEP, DEEP_FILTERS
from plumbline.vision.normalize import NORMALIZATIONS
from plumbline.vision.resize import FILTERS

TASKS = ("classification", "detection", "segmentation", "image", "raw")

LAYOUTS = ("channels_last", "channels_first", "no_channels", "flat")

ACTIVATIONS = ("none", "softmax", "sigmoid")

RESPONSES = ("typed", "builtin")

DETECTION_FORMATS = ("ssd", "boxes", "builtin", "yolo", "yolov5")

SUPPRESSIONS = ("per-class", "agnostic", "none")


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
    """A check that pictures are not normalised by numbers for other channels than they have."""

    def checked(key: str, value: Any) -> Any:
        declared = check(key, value)
        steps = declared.normalize
        steps = NORMALIZATIONS[steps] if isinstance(steps, str) else steps
        channels = CHANNELS[declared.color]
        if {len(steps.mean), len(steps.std)} - {1, channels}:
            number = {1: "one channel", 3: "three channels", 4: "four channels"}[channels]
            reason = f"for {number}, as {key}.color is {declared.color!r}"
            raise wrong(f"{key}.normalize", value["normalize"], reason)
        if declared.color == DEEP and not declared.resize.startswith(DEEP_FILTERS):
            reason = f"one of Pillow's or TensorFlow's filters, with color = {DEEP!r}"
            raise wrong(f"{key}.resize", value.get("resize"), reason)
        if declared.fit == "pillow-fit" and (
            declared.pillow is not None or not declared.resize.startswith("pillow-")
        ):
            reason = "one of Pillow's filters, and no other Pillow than the one installed"
            raise wrong(f"{key}.resize", value.get("resize"), f"{reason}, with fit = 'pillow-fit'")
        return declared

    return checked


def constants(key: str, value: Any) -> Mapping[str, Any]:
    """A check for the values of inputs by their names; which values fit, the model says."""
    if isinstance(value, dict):
        return value
    raise wrong(key, value, "a table of inputs and their values: {age = 0.0}, say")


MODEL: Mapping[str, Check] = {
    "path": inner_path,
    "signature": string,
    "output": string,
    "constants": constants,
}

PREPROCESS: Mapping[str, Check] = {
    "decoder": one_of(*DECODERS),
    "exif": boolean,
    "color": one_of(*COLORS),
    "layout": one_of(*LAYOUTS),
    "size": image_size,
    "keep_size": boolean,
    "multiple_of": whole(2, 1024),
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


def value_range(key: str, value: Any) -> tuple[float, float]:
    """A check for the values that are black and white."""
    if isinstance(value, list) and len(value) == 2:
        low, high = (number(f"{key}[{place}]", each) for place, each in enumerate(value))
        if low < high:
            return low, high
    raise wrong(key, value, "the values of black and white, such as [0, 1]")


IMAGE: Mapping[str, Check] = {"range": value_range}
