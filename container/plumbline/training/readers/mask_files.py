"""Masks: PNG files of one channel, whose values are the classes of a picture's pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plumbline.errors import ImageError
from plumbline.training.errors import DataError
from plumbline.vision.arrays import Tensor
from plumbline.vision.images import Limits, open_within
from plumbline.vision.masks import Mask

IGNORED = 255
"""The class of pixels that don't count, and the value of a mask that means them."""

UNKNOWN = -1

MODES = ("1", "L", "P", "I", "I;16")
"""Pillow's names of what has one channel."""

STRETCHED = {"L;2": 85, "L;4": 17}
"""By what Pillow multiplies grays of fewer than eight bits, to make 255 white."""

FORM = (
    'it has to be {"scale": "3"}, by which values are divided, or {"map": {"0": 5}}, the value of '
    "each class"
)


@dataclass(frozen=True)
class LabelMap:
    """What the values of masks mean: the class of each of the 256, or `UNKNOWN`."""

    classes: tuple[int, ...]


def scaled(scale: float) -> LabelMap:
    """Values divided by this, rounded down."""
    return LabelMap((*(int(value // scale) for value in range(IGNORED)), IGNORED))


AS_THEY_ARE = scaled(1)


def read_label_map(file: Path) -> LabelMap:
    """What a label map of the built-in algorithm says. Raises `DataError`."""
    try:
        found = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise DataError(f"{file.name} is no JSON: {exc}.") from exc
    try:
        if isinstance(values := found.get("map"), dict):
            return mapped({int(name): int(value) for name, value in values.items()})
        if float(scale := found["scale"]) > 0:
            return scaled(float(scale))
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise DataError(f"{file.name} is {str(found)[:60]}; {FORM}.")


def mapped(values: Mapping[int, int]) -> LabelMap:
    """By the value of each class; raises `ValueError` for numbers that no mask has."""
    classes = [UNKNOWN] * IGNORED + [IGNORED]
    for number, value in values.items():
        if not (0 <= number < IGNORED and 0 <= value <= IGNORED):
            raise ValueError(number, value)
        classes[value] = number
    return LabelMap(tuple(classes))


def read_mask(data: bytes, meaning: LabelMap, limits: Limits) -> Mask:
    """The class of each pixel, `[height, width]`; `IGNORED` where none is meant.

    Raises `DataError` for what is no mask, in words that follow its name.
    """
    try:
        with open_within(data, limits) as image:
            values = values_of(image)
    except DataError:
        raise
    except ImageError as exc:
        raise DataError(f"can't be read: {exc.message}") from exc
    except Exception as exc:  # Pillow raises nearly anything on damaged files
        raise DataError(f"is damaged: {exc}") from exc
    if values.size and not 0 <= (most := int(values.max())) <= IGNORED:
        raise DataError(f"has the value {most}; classes are from 0 to 254, and 255 is ignored.")
    classes: Tensor = np.asarray(meaning.classes)[values]
    if (classes == UNKNOWN).any():
        value = int(values[classes == UNKNOWN][0])
        raise DataError(f"has the value {value}, which the label map gives no class.")
    found: Mask = classes.astype(np.uint8)
    return found


def values_of(image: Image.Image) -> Any:
    """The values of a mask, `[height, width]`, as they are in the file. Raises `DataError`."""
    if image.format != "PNG":
        raise DataError(f"is of the format {image.format}; save masks as PNG, which keeps values.")
    if image.mode not in MODES:
        raise DataError(
            f"has several channels ({image.mode}); a mask has one, whose values are the classes. "
            "Save it in gray or with a palette."
        )
    tiles = getattr(image, "tile", None)
    raw = str(tiles[0][3]) if tiles else ""
    return np.asarray(image).astype(np.int64) // STRETCHED.get(raw, 1)
