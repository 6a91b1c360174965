"""Custom attributes → the options of one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from plumbline.errors import InvalidAttribute
from plumbline.spec.known_keys import RESPONSES

RAW = "raw"
"""The format in which a model's own outputs come, whatever its task."""

FORMATS = (*RESPONSES, RAW)

METHOD = "tfs-method"
"""The custom attribute by which SageMaker's TensorFlow Serving container chooses what is asked."""

METHODS = ("predict", "classify", "regress")

MODES = ("overlay", "mask")
"""What `image/png` shows of a segmentation: the mask over the picture, or the mask itself."""


def whole_number(name: str, value: str) -> int:
    """An option that is a whole number from 1 to 1000."""
    if value.isdecimal() and len(value) <= 4 and 1 <= int(value) <= 1000:
        return int(value)
    raise InvalidAttribute(f"{name}={value}: it must be a whole number from 1 to 1000.")


def fraction(name: str, value: str) -> float:
    """An option that is a number from 0 to 1."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if 0 <= number <= 1:
        return number
    raise InvalidAttribute(f"{name}={value}: it must be a number from 0 to 1, such as 0.2.")


def one_of(*words: str) -> Callable[[str, str], str]:
    """An option that is one of some words."""

    def read(name: str, value: str) -> str:
        if value in words:
            return value
        raise InvalidAttribute(f"{name}={value}: it must be one of {', '.join(words)}.")

    return read


def plain_text(_name: str, value: str) -> str:
    """An option that is a text."""
    return value


def version_number(name: str, value: str) -> int:
    """An option that is a model's version."""
    if value.isascii() and value.isdecimal() and len(value) <= 19:
        return int(value)
    raise InvalidAttribute(f"{name}={value}: it must be a whole number, such as 1.")


OPTIONS: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {
        "top_k": whole_number,
        "score_threshold": fraction,
        "max_detections": whole_number,
        "format": one_of(*FORMATS),
        "mode": one_of(*MODES),
        "tfs-model-name": plain_text,
        "tfs-model-version": version_number,
        METHOD: one_of(*METHODS),
    }
)
"""The custom attributes that mean something here."""


def read_options(custom_attributes: str) -> dict[str, Any]:
    """`top_k=3,trace=abc` → the options it sets; what others put there is left alone."""
    if not custom_attributes:
        return {}
    pairs = (part.partition("=") for part in custom_attributes.split(","))
    named = {name.strip(): value.strip() for name, _, value in pairs}
    return {name: check(name, named[name]) for name, check in OPTIONS.items() if name in named}


def is_tensorflows(options: Mapping[str, Any]) -> bool:
    """Whether a request speaks as to TensorFlow Serving: it names a model, or a method."""
    return any(name.startswith("tfs-") for name in options)
