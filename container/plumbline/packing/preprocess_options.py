"""What `[preprocess]` can say: the axes of the space that is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from plumbline.pipeline.preprocess import normalized
from plumbline.spec import model_spec as specs
from plumbline.spec.model_spec import Preprocess
from plumbline.vision.crops import NAMED
from plumbline.vision.decoders import DECODERS
from plumbline.vision.images import CHANNELS, COLORS, DEEP, DEEP_FILTERS
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

CROPPED: Sequence[Mapping[str, Any]] = ({"central_crop": 0.875},)
"""Crops that evaluation is usually done by, beside those of `shorter_sides`."""

EVERYTHING: Mapping[str, Sequence[Any]] = {
    "color": tuple(color for color in COLORS if color != DEEP),
    "normalize": (*NORMALIZATIONS, *SCALED),
    "fit": (*NAMED, *CROPPED),
    "resize": tuple(FILTERS),
    "decoder": tuple(DECODERS),
    "exif": (True, False),
}
"""Every key that is searched and what it may say, as TOML."""


DEEPLY: Mapping[str, Sequence[Any]] = {
    "color": (DEEP,),
    "normalize": (*EVERYTHING["normalize"], {"divisor": 65535}, {"divisor": 65535, "mean": 0.5}),
    "resize": tuple(name for name in FILTERS if name.startswith(DEEP_FILTERS)),
}
"""The same of pictures of 16 bits of gray."""


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


def shorter_sides(size: tuple[int, int]) -> list[Mapping[str, Any]]:
    """Torchvision's crops into such an input: the usual sizes before, and the usual share."""
    least = max(size)
    usual = (least * 256 // 224, 256, 232, least)
    return [{"shorter_side": side} for side in dict.fromkeys(usual) if side >= least]


def options(
    channels: int | None, turned: bool, size: tuple[int, int], *, deep: bool = False
) -> Options:
    """The space for an input of so many channels and this size.

    `turned` says that a picture has EXIF notes, `deep` that all are of 16 bits of gray.
    """
    everything = {**EVERYTHING, "fit": (*EVERYTHING["fit"], *shorter_sides(size))}
    if deep:
        everything |= DEEPLY
    found = {key: read(key, values) for key, values in everything.items()}
    found["color"] = tuple(
        option for option in found["color"] if (channels or 3) == CHANNELS[option.value]
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
