"""What `[preprocess]` can say: the axes of the space that is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from plumbline.pipeline.model_inputs import CHANNELS
from plumbline.pipeline.preprocess import normalized
from plumbline.spec import model_spec as specs
from plumbline.spec.model_spec import Preprocess
from plumbline.vision.crops import NAMED
from plumbline.vision.decoders import DECODERS
from plumbline.vision.images import COLORS
from plumbline.vision.normalize import NORMALIZATIONS
from plumbline.vision.resize import FILTERS

SCALED: Sequence[Mapping[str, Any]] = (
    {"divisor": 256},
    {"divisor": 128, "mean": 1},
    {"divisor": 255, "mean": 0.5},
    {"mean": [123.68, 116.779, 103.939]},
    {"divisor": 255**2},
)
"""Normalisations without a name that people have trained with."""

CROPPED: Sequence[Mapping[str, Any]] = (
    {"shorter_side": 256},
    {"shorter_side": 232},
    {"central_crop": 0.875},
)
"""Crops that evaluation is usually done by."""

EVERYTHING: Mapping[str, Sequence[Any]] = {
    "color": tuple(COLORS),
    "normalize": (*NORMALIZATIONS, *SCALED),
    "fit": (*NAMED, *CROPPED),
    "resize": tuple(FILTERS),
    "decoder": tuple(DECODERS),
    "exif": (True, False),
}
"""Every key that is searched and what it may say, as TOML."""


@dataclass(frozen=True)
class Option:
    """A value as TOML writes it, and as the spec reads it."""

    toml: Any
    value: Any


Options = Mapping[str, tuple[Option, ...]]


def read(key: str, values: Sequence[Any]) -> tuple[Option, ...]:
    """The values as the spec reads them."""
    parsed = (specs.read_document({"preprocess": {key: toml}}).preprocess for toml in values)
    return tuple(
        Option(toml, getattr(declared, key)) for toml, declared in zip(values, parsed, strict=True)
    )


def options(channels: int | None, turned: bool) -> Options:
    """The space for a model's input of so many channels; `turned`: a picture has EXIF notes."""
    found = {key: read(key, values) for key, values in EVERYTHING.items()}
    found["color"] = tuple(
        option for option in found["color"] if channels in (None, CHANNELS[option.value])
    )
    found["normalize"] = tuple(filter(partial(fits_channels, channels), found["normalize"]))
    return found if turned else {**found, "exif": read("exif", [True])}


def fits_channels(channels: int | None, option: Option) -> bool:
    """Whether a normalisation can be applied to pictures of so many channels."""
    declared = replace(Preprocess(), normalize=option.value)
    try:
        normalized(np.zeros((2, 2, channels or 3), np.float32), declared)
    except ValueError:  # means for three channels, a picture with one
        return False
    return True


def table(declared: Preprocess, known: Options) -> dict[str, Any]:
    """The declaration as TOML's values, in the order of the documentation."""
    written = {key: toml(declared, key, known) for key in ("decoder", "exif", "color")}
    if declared.size is not None:
        written["size"] = list(declared.size)
    return written | {key: toml(declared, key, known) for key in ("fit", "resize", "normalize")}


def toml(declared: Preprocess, key: str, known: Options) -> Any:
    """One key of the declaration as TOML has it."""
    value = getattr(declared, key)
    return next((option.toml for option in known[key] if option.value == value), value)
