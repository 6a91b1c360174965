"""Checks for the values of plumbline.toml; every error names the key, the value and what may be."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from plumbline.errors import SpecError

FILE = "plumbline.toml"

Check = Callable[[str, Any], Any]


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


def fraction(key: str, value: Any) -> float:
    """A check for a number from 0 to 1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise wrong(key, value, "a number from 0 to 1")


def list_of(check: Check, what: str) -> Check:
    """A check for a list of at least one such value, `what` in words."""

    def checked(key: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise wrong(key, value, f"a list of {what}")
        return tuple(check(f"{key}[{place}]", each) for place, each in enumerate(value))

    return checked


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


def budget(key: str, value: Any) -> float:
    """A check for a number above zero, infinity among them."""
    if value == float("inf"):
        return float(value)
    try:
        return positive(key, value)
    except SpecError as exc:
        raise wrong(key, value, "a number above 0, such as 1e-5, or inf") from exc


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
        if len(values) not in (1, 3, 4):
            raise wrong(key, value, "a number, or a list of them, one for each channel")
        return tuple(check(key, each) for each in values)

    return checked


def table(build: Callable[..., Any], checks: Mapping[str, Check]) -> Check:
    """A check for a table of keys."""

    def check(key: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong(key, value, f"a table: a line [{key}] with its keys below")
        return build(**read_table(value, key, checks))

    return check
