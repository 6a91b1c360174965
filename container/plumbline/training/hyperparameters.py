"""Hyperparameters as a recipe declares them: name, type, default, range, help; and read by that."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plumbline.training.errors import HyperparameterError

Read = Callable[[str], Any]
"""A text → its value; `ValueError` says what it must be, as in "a whole number from 1 to 8"."""


@dataclass(frozen=True)
class Hyperparameter:
    """One of a recipe. `default` is written as in a job; None means that there is none."""

    read: Read
    default: str | None
    help: str
    required: bool = False
    aliases: tuple[str, ...] = ()
    """Other names under which other algorithms know it."""
    without_meaning: str = ""
    """Why it changes nothing here; whoever gives it is told so."""


Table = Mapping[str, Hyperparameter]


@dataclass(frozen=True)
class Values:
    """What a job chose, defaults included; `warnings` are to be shown."""

    chosen: Mapping[str, Any]
    given: frozenset[str]
    """The names, as in the table, of those that the job gives itself."""
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.chosen[name]


def read(table: Table, given: Mapping[str, str]) -> Values:
    """The values of a job. Raises `HyperparameterError`, for all that is wrong at once."""
    names = {alias: name for name, entry in table.items() for alias in (name, *entry.aliases)}
    chosen = {
        name: None if entry.default is None else entry.read(entry.default)
        for name, entry in table.items()
    }
    wrong, seen, warnings = [], dict[str, str](), []
    for key, text in sorted(given.items()):
        try:
            name = known(key, names)
            if (before := seen.setdefault(name, key)) != key:
                wrong.append(f"{before} and {key} are the same; give one of them")
            chosen[name] = value_of(key, text, table[name])
            if table[name].without_meaning:
                warnings.append(f"{key} is ignored: {table[name].without_meaning}.")
        except HyperparameterError as exc:
            wrong.append(exc.message)
    missing = [name for name, entry in table.items() if entry.required and name not in seen]
    wrong += [f"{name} is missing: {table[name].help.rstrip('.')}" for name in missing]
    if wrong:
        raise HyperparameterError(f"Hyperparameters: {'; '.join(wrong)}.")
    return Values(chosen, frozenset(seen), tuple(warnings))


def known(key: str, names: Mapping[str, str]) -> str:
    """The table's name for this one; - and _ are the same. Raises `HyperparameterError`."""
    found = names.get(key) or names.get(key.replace("-", "_"))
    if found:
        return found
    near = difflib.get_close_matches(key.lower().replace("-", "_"), names, 1, 0.6)
    meant = (
        f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted({*names.values()}))}"
    )
    raise HyperparameterError(f"there is no {key} ({meant})")


def value_of(key: str, text: str, entry: Hyperparameter) -> Any:
    """The value of one. Raises `HyperparameterError`."""
    try:
        return entry.read(text.strip())
    except ValueError as exc:
        shown = text if len(text) <= 60 else f"{text[:60]}…"
        raise HyperparameterError(f"{key}={shown} must be {exc}") from exc


def whole(least: int, most: int) -> Read:
    """A reader of whole numbers; tuning jobs send 32.0 for 32."""

    def read_whole(text: str) -> int:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if least <= number <= most and number == int(number):
            return int(number)
        raise ValueError(f"a whole number from {least} to {most}")

    return read_whole


def number(least: float, most: float) -> Read:
    """A reader of numbers."""

    def read_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if least <= value <= most:
            return value
        raise ValueError(f"a number from {least:g} to {most:g}")

    return read_number


def switch(text: str) -> bool:
    """True or false, in any case, or 1 or 0."""
    meanings = {"true": True, "1": True, "false": False, "0": False}
    try:
        return meanings[text.lower()]
    except KeyError:
        raise ValueError("true or false") from None


def choice(*names: str) -> Read:
    """A reader of one of these names."""

    def read_choice(text: str) -> str:
        if text in names:
            return text
        raise ValueError(f"one of {', '.join(names)}{nearest(text, names)}")

    return read_choice


def nearest(text: str, names: tuple[str, ...]) -> str:
    """What is probably meant, in words; empty where nothing is near."""
    near = difflib.get_close_matches(text.lower(), names, 1, 0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def listed(read_one: Read) -> Read:
    """A reader of a list with commas between its entries, or of a JSON list; empty is none."""

    def read_list(text: str) -> tuple[Any, ...]:
        parts = [part.strip() for part in text.strip("[]() ").split(",")]
        try:
            return tuple(read_one(part) for part in parts if part)
        except ValueError as exc:
            raise ValueError(f"a list with commas between its entries, each {exc}") from exc

    return read_list


def text(given: str) -> str:
    """Any text."""
    return given


def markdown(table: Table) -> str:
    """The table as docs/training.md has it."""
    rows = ["| hyperparameter | default | |", "|---|---|---|"]
    for name, entry in table.items():
        names = ", ".join(f"`{one}`" for one in (name, *entry.aliases))
        default = "required" if entry.required else entry.default or "none"
        rows.append(f"| {names} | {default} | {entry.help} |")
    return "\n".join(rows)
