"""What the text of an environment variable may be; `ValueError` says it in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from plumbline.errors import SettingError
from plumbline.vision.images import OPTIONAL_FORMATS, Limits

MEBIBYTE = 1024 * 1024

LONGEST_DIMENSION = 1024
"""Characters, as CloudWatch allows."""

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
    if not set(names) <= set(known):
        raise ValueError(f"a list of some of {','.join(known)}")
    if "HEIF" in names and find_spec("pillow_heif") is None:
        raise ValueError("without HEIF, or pillow-heif installed: pip install pillow-heif")
    return names


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


def metrics_form(text: str) -> str:
    """How metrics are told."""
    if text in ("prometheus", "emf"):
        return text
    raise ValueError("prometheus or emf")


def dimension(text: str) -> str:
    """A value by which CloudWatch tells metrics apart."""
    if len(text) <= LONGEST_DIMENSION and text.isascii() and text.isprintable():
        return text
    raise ValueError(f"at most {LONGEST_DIMENSION} characters of ASCII")


def receiver(text: str) -> str:
    """The address of what receives spans; empty for none."""
    if text and not re.fullmatch(r"https?://[!-~]+", text):
        raise ValueError("an address that begins with http:// or https://, as http://host:4318")
    if text and not sends_spans():
        raise ValueError(
            "left out, or OpenTelemetry installed: pip install opentelemetry-sdk "
            "opentelemetry-exporter-otlp-proto-http"
        )
    return text


def sends_spans() -> bool:
    """Whether OpenTelemetry's exporter is here."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
