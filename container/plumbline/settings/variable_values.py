"""What the text of an environment variable may be; `ValueError` says it in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plumbline.errors import SettingError
from plumbline.vision.images import OPTIONAL_FORMATS, Limits

MEBIBYTE = 1024 * 1024

ENGINES = ("auto", "openvino", "tensorflow")


def checked(name: str, text: str, read: Callable[[str], Any]) -> Any:
    """The value of the variable `name`. Raises `SettingError`."""
    try:
        return read(text.strip())
    except ValueError as exc:
        raise SettingError(f"{name}={text}: it must be {exc}.") from exc


def whole(least: int, most: int, unit: int = 1) -> Callable[[str], int]:
    """A reader of whole numbers, multiplied by `unit`."""

    def read(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text) * unit
        raise ValueError(f"a whole number from {least} to {most}")

    return read


def boolean(text: str) -> bool:
    """True or false, in any case."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise ValueError("true or false")


def switch(text: str) -> bool:
    """True or false, or 1 or 0."""
    if text in ("1", "0"):
        return text == "1"
    return boolean(text)


def seconds(text: str) -> float:
    """A number of seconds above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if 0 < value <= 3600:
        return value
    raise ValueError("a number of seconds, above 0 and at most 3600")


def formats(text: str) -> tuple[str, ...]:
    """Picture formats, by the names that Pillow gives them."""
    known = (*Limits.formats, *OPTIONAL_FORMATS)
    names = tuple(name.strip().upper() for name in text.split(","))
    if set(names) <= set(known):
        return names
    raise ValueError(f"a list of some of {','.join(known)}")


def names(text: str) -> tuple[str, ...]:
    """Names of operations, with commas between them."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if all(name.isidentifier() for name in found):
        return found
    raise ValueError("a list of operations' names, with commas between them")


def engine_name(text: str) -> str:
    """What computes the model."""
    if text in ENGINES:
        return text
    raise ValueError(f"one of {', '.join(ENGINES)}")


def log_level(text: str) -> str:
    """A level's name, or its number as SageMaker's SDK writes it."""
    numbers = {"10": "debug", "20": "info", "30": "warning", "40": "error", "50": "critical"}
    name = numbers.get(text, text.lower())
    if name in numbers.values():
        return name
    raise ValueError(f"one of {', '.join(numbers.values())}")


def log_format(text: str) -> str:
    """How log lines are written."""
    if text in ("auto", "json", "text"):
        return text
    raise ValueError("auto, json or text")


def model_name(text: str) -> str:
    """A model's name; SageMaker's TensorFlow Serving container writes None for none."""
    return "" if text == "None" else text
