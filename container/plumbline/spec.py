"""plumbline.toml → frozen values; every error names the key, the value and what is allowed."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from plumbline.decoders import DECODERS
from plumbline.errors import SpecError
from plumbline.fit import FITS
from plumbline.images import COLORS
from plumbline.normalize import NORMALIZATIONS, Normalization
from plumbline.resize import FILTERS

FILE = "plumbline.toml"

ACTIVATIONS = ("none", "softmax", "sigmoid")


@dataclass(frozen=True)
class ModelChoice:
    """`[model]`: which of the archive's models, signatures and outputs is meant."""

    path: str | None = None
    signature: str = "serving_default"
    output: str | None = None


@dataclass(frozen=True)
class Preprocess:
    """`[preprocess]`: bytes → tensor.

    `size` is (height, width), None for the model's own; `pillow` is the major version of Pillow
    whose order of rows and columns is followed, None for the one that is installed.
    """

    decoder: str = "pillow"
    exif: bool = True
    color: str = "rgb"
    size: tuple[int, int] | None = None
    fit: str = "stretch"
    resize: str = "pillow-bilinear"
    normalize: str | Normalization = "none"
    pillow: int | None = None


@dataclass(frozen=True)
class Classification:
    """`[classification]`: what is done with the scores."""

    activation: str = "none"
    top_k: int = 5


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
    golden: Golden = field(default_factory=Golden)
    declared: frozenset[str] = field(default=frozenset(), compare=False)
    """The keys and tables at the top of the file that are there."""


Check = Callable[[str, Any], Any]


def parse(text: str) -> ModelSpec:
    """The spec that `text` (TOML) declares. Raises `SpecError`."""
    try:
        document = tomllib.loads(text)
    except ValueError as exc:  # also for a number of thousands of digits
        raise SpecError(f"{FILE} is not valid TOML: {exc}.") from exc
    return read_document(document)


def read_document(document: Mapping[str, Any]) -> ModelSpec:
    """The spec of a parsed document."""
    return ModelSpec(**read_table(document, "", TOP), declared=frozenset(document))


def read_table(table: Mapping[str, Any], name: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    """The checked values of one table; `name` is "" for the top of the file."""
    for key in table:
        if key not in checks:
            raise unknown_key(key, name, checks)
    prefix = f"{name}." if name else ""
    return {key: checks[key](prefix + key, value) for key, value in table.items()}


def unknown_key(key: str, table: str, checks: Mapping[str, Check]) -> SpecError:
    """The error for a key that means nothing, with the one that was probably meant."""
    where = f"[{table}] in {FILE}" if table else FILE
    near = difflib.get_close_matches(key, checks, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(checks)}."
    return SpecError(f"{where} has a key {key!r} that means nothing here. {hint}")


def wrong(key: str, value: object, expected: str) -> SpecError:
    """The error for a value that its key can't have."""
    return SpecError(f"{FILE}: {key} = {value!r}, but it must be {expected}.")


def one_of(*allowed: str) -> Check:
    """A check for one of some words."""

    def check(key: str, value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        near = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise wrong(key, value, f"one of {', '.join(map(repr, allowed))}{hint}")

    return check


def boolean(key: str, value: Any) -> bool:
    """A check for true or false."""
    if isinstance(value, bool):
        return value
    raise wrong(key, value, "true or false, without quotes")


def string(key: str, value: Any) -> str:
    """A check for text."""
    if isinstance(value, str) and value:
        return value
    raise wrong(key, value, "a text in quotes")


def whole(least: int, most: int) -> Check:
    """A check for a whole number between two."""

    def check(key: str, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise wrong(key, value, f"a whole number from {least} to {most}")

    return check


def positive(key: str, value: Any) -> float:
    """A check for a number above zero."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    raise wrong(key, value, "a number above 0, such as 1e-5")


def image_size(key: str, value: Any) -> tuple[int, int]:
    """A check for [height, width]."""
    side = whole(1, 8192)
    if not isinstance(value, list) or len(value) != 2:
        raise wrong(key, value, "[height, width], such as [224, 224]")
    return side(f"{key}[0]", value[0]), side(f"{key}[1]", value[1])


def inner_path(key: str, value: Any) -> str:
    """A check for a path that stays inside the archive."""
    path = PurePosixPath(string(key, value))
    if path.is_absolute() or ".." in path.parts:
        raise wrong(key, value, "a path inside the archive, relative to its top")
    return str(path)


def label_source(key: str, value: Any) -> str | tuple[str, ...]:
    """A check for a file of labels or the labels themselves."""
    if isinstance(value, list) and value and all(isinstance(label, str) for label in value):
        return tuple(value)
    if isinstance(value, str):
        return inner_path(key, value)
    raise wrong(key, value, "a file with one label a line, or a list of texts")


def number(key: str, value: Any) -> float:
    """A check for a number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return float(value)
    raise wrong(key, value, "a number")


def divisor(key: str, value: Any) -> float:
    """A check for a number to divide by."""
    if number(key, value):
        return float(value)
    raise wrong(key, value, "a number other than 0")


def per_channel(check: Check) -> Check:
    """A check for a number, or a list of one for each channel."""

    def checked(key: str, value: Any) -> tuple[float, ...]:
        values = value if isinstance(value, list) else [value]
        if len(values) not in (1, 3):
            raise wrong(key, value, "a number, or a list of three, one for each channel")
        return tuple(check(key, each) for each in values)

    return checked


def normalization(key: str, value: Any) -> str | Normalization:
    """A check for a name, or a table of numbers."""
    if isinstance(value, dict):
        return Normalization(**read_table(value, key, SCALING))
    return one_of(*NORMALIZATIONS)(key, value)  # type: ignore[no-any-return]


SCALING: Mapping[str, Check] = {
    "divisor": divisor,
    "scale": number,
    "mean": per_channel(number),
    "std": per_channel(divisor),
}
"""The keys of `normalize = {…}`: (x / divisor * scale - mean) / std."""


def table(build: Callable[..., Any], checks: Mapping[str, Check]) -> Check:
    """A check for a table of keys."""

    def check(key: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong(key, value, f"a table: a line [{key}] with its keys below")
        return build(**read_table(value, key, checks))

    return check


def for_its_color(check: Check) -> Check:
    """A check that gray pictures are not normalised by numbers for three channels."""

    def checked(key: str, value: Any) -> Preprocess:
        declared: Preprocess = check(key, value)
        steps = declared.normalize
        steps = NORMALIZATIONS[steps] if isinstance(steps, str) else steps
        if declared.color.endswith("gray") and max(len(steps.mean), len(steps.std)) > 1:
            reason = f"for one channel, as {key}.color is {declared.color!r}"
            raise wrong(f"{key}.normalize", value["normalize"], reason)
        return declared

    return checked


PREPROCESS: Mapping[str, Check] = {
    "decoder": one_of(*DECODERS),
    "exif": boolean,
    "color": one_of(*COLORS),
    "size": image_size,
    "fit": one_of(*FITS),
    "resize": one_of(*FILTERS),
    "normalize": normalization,
    "pillow": whole(1, 99),
}

TOP: Mapping[str, Check] = {
    "task": one_of("classification", "raw"),
    "labels": label_source,
    "model": table(ModelChoice, {"path": inner_path, "signature": string, "output": string}),
    "preprocess": for_its_color(table(Preprocess, PREPROCESS)),
    "classification": table(
        Classification, {"activation": one_of(*ACTIVATIONS), "top_k": whole(1, 1000)}
    ),
    "golden": table(Golden, {"images": inner_path, "tolerance": positive}),
}
"""Every key of the file, and what its value must be."""
