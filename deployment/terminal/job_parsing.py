"""What was typed of a training job or a search → values."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from deployment.errors import Misuse
from deployment.plan.search import SCALES, Range, Search
from deployment.plan.training import Limits

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}

DEFAULT_RUN = Limits().run

OBJECTIVE = "validation:accuracy"

DEFAULT_JOBS = 10

RANGE = re.compile(r"(?P<name>[^=\s]+)=(?P<least>[^:=\s]+?)\.\.(?P<most>[^:=\s]+)(:(?P<scale>.*))?")


def seconds(text: str, option: str) -> int:
    """90s, 30m, 2h or 3d. Raises `Misuse`."""
    found = re.fullmatch(r"([0-9]{1,7})([smhd])", text.strip())
    if not found or not int(found[1]):
        raise Misuse(f"{option} {text}: a number and its unit, such as 90s, 30m, 2h or 3d.")
    return int(found[1]) * UNITS[found[2]]


def limits(asked: Mapping[str, Any]) -> Limits:
    """How long a job may run, wait and keep its machine. Raises `Misuse`."""
    run = seconds(asked["max_runtime"], "--max-runtime") if asked["max_runtime"] else DEFAULT_RUN
    warm = seconds(asked["warm"], "--warm") if asked.get("warm") else 0
    if not asked["spot"]:
        if asked["max_wait"]:
            raise Misuse("--max-wait goes with --spot: other instances are there at once.")
        return Limits(run, warm=warm)
    wait = seconds(asked["max_wait"], "--max-wait") if asked["max_wait"] else 2 * run
    return Limits(run, wait, warm)


def pairs(texts: Iterable[str], option: str, example: str) -> dict[str, str]:
    """NAME=VALUE, several times. Raises `Misuse`."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise Misuse(f"{option} {text}: it must be like {example}.")
        if name in found:
            raise Misuse(f"{option} {name} is given twice: one of them.")
        found[name] = value
    return found


def ranges(texts: Iterable[str]) -> tuple[Range, ...]:
    """NAME=LEAST..MOST[:SCALE], several times. Raises `Misuse`."""
    return tuple(map(one_range, texts))


def one_range(text: str) -> Range:
    """A range of numbers. Raises `Misuse`."""
    found = RANGE.fullmatch(text)
    if not found:
        raise Misuse(
            f"--range {text}: it must be like learning_rate=1e-4..1e-1:log or num_layers=18..50, "
            "the least, two dots and the most."
        )
    name, least, most, scale = (found[each] for each in ("name", "least", "most", "scale"))
    if scale not in SCALES:
        near = difflib.get_close_matches(scale, filter(None, SCALES), 1, 0.4)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise Misuse(f"--range {text}: the scale is linear, log or reverse-log.{meant}")
    low, high = number(least, text), number(most, text)
    if not low < high:
        raise Misuse(f"--range {text}: {least} is not less than {most}.")
    if scale == "log" and low <= 0:
        raise Misuse(f"--range {text}: a logarithmic scale has numbers above 0 alone.")
    if scale == "reverse-log" and not (low >= 0 and high < 1):
        raise Misuse(f"--range {text}: a reverse logarithmic scale goes from 0 to below 1.")
    return Range(name, least, most, SCALES[scale], is_whole(least) and is_whole(most))


def number(text: str, whole: str) -> float:
    """A finite number. Raises `Misuse`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Misuse(f"--range {whole}: {text} is no number.")
    return value


def is_whole(text: str) -> bool:
    """Whether a number is written as a whole one."""
    return re.fullmatch(r"-?[0-9]+", text) is not None


def choices(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """NAME=A,B,…, several times. Raises `Misuse`."""
    found: dict[str, tuple[str, ...]] = {}
    for name, listed in pairs(texts, "--choose", "optimizer=adam,sgd").items():
        values = tuple(each.strip() for each in listed.split(","))
        if not all(values) or len(set(values)) < len(values):
            raise Misuse(f"--choose {name}={listed}: values with commas between, each once.")
        found[name] = values
    return found


def search(asked: Mapping[str, Any]) -> Search:
    """What is searched, and how. Raises `Misuse`."""
    made = Search(
        objective=asked["objective"] or OBJECTIVE,
        ranges=ranges(asked["ranges"]),
        choices=choices(asked["choices"]),
        jobs=asked["jobs"] or DEFAULT_JOBS,
        parallel=asked["parallel"],
        strategy=asked["strategy"],
        minimized=asked["minimize"] or (asked["objective"] or OBJECTIVE).endswith("loss"),
        early_stop=asked["early_stop"],
    )
    return made if made.strategy != "grid" else of_grid(made, asked["jobs"])


def of_grid(made: Search, jobs: int | None) -> Search:
    """A search of all combinations, as many jobs as there are. Raises `Misuse`."""
    count = math.prod(len(values) for values in made.choices.values())
    if jobs not in (None, count):
        raise Misuse(
            f"--strategy grid trains each of the {count} combinations once: leave --jobs out."
        )
    return replace(made, jobs=count, parallel=min(made.parallel, count))
