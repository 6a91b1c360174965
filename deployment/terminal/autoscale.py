"""What was typed of --autoscale, and what `plumbline bench` measured → how machines follow load."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployment.errors import Misuse
from deployment.plan.order import IN_COOLDOWN, OUT_COOLDOWN, Async, Kind, Scaling

NO_SCALING = "none"
"""What --autoscale takes for a number of machines that stays as it is."""

BACKLOG = 5.0
"""Requests that may wait in an async endpoint's queue for each machine."""


def scaling(asked: Mapping[str, Any], kind: Kind) -> Scaling | None:
    """What --autoscale says, with a target that was given or measured. Raises `Misuse`."""
    if asked["autoscale"] in (None, NO_SCALING):
        refuse_unscaled(asked)
        return None
    least, most = bounds(asked["autoscale"])
    metric = asked["metric"] or ("backlog" if isinstance(kind, Async) else "invocations")
    if (metric == "backlog") != isinstance(kind, Async):
        raise Misuse(
            "--metric backlog counts the requests that wait for an --async endpoint; a real-time "
            "one is scaled by invocations or concurrency."
        )
    return Scaling(
        least,
        most,
        target(asked, metric),
        metric,
        given(asked["scale_in_cooldown"], IN_COOLDOWN),
        given(asked["scale_out_cooldown"], OUT_COOLDOWN),
    )


def given(value: Any, default: Any) -> Any:
    """What was typed, and the default where nothing was."""
    return default if value is None else value


def refuse_unscaled(asked: Mapping[str, Any]) -> None:
    """Raise `Misuse` for an option that means nothing without --autoscale."""
    watched = ("benchmark", "p95") if asked["alarms"] and asked["benchmark"] else ()
    for option in ("target", "benchmark", "metric", *MEASURED, *COOLDOWNS):
        if asked[option] is not None and option not in watched:
            raise Misuse(
                f"--{option.replace('_', '-')} goes with --autoscale FEWEST:MOST, such as "
                "--autoscale 1:4."
            )


MEASURED = ("p95", "safety")
"""The options that say how a benchmark is read."""

COOLDOWNS = ("scale_in_cooldown", "scale_out_cooldown")


def bounds(text: str) -> tuple[int, int]:
    """FEWEST:MOST. Raises `Misuse`."""
    found = re.fullmatch(r"([0-9]{1,6}):([0-9]{1,6})", text)
    if not found:
        raise Misuse(f"--autoscale {text}: the minimum, a colon and the maximum, such as 1:4.")
    return int(found[1]), int(found[2])


def target(asked: Mapping[str, Any], metric: str) -> float:
    """What one machine should have to do. Raises `Misuse` where nobody says it."""
    refuse_unread(asked, metric)
    if asked["target"] is not None:
        return float(asked["target"])
    if asked["benchmark"] is not None:
        runs = read(asked["benchmark"])
        run = best(runs, given(asked["p95"], P95))
        return measured_target(run, metric, given(asked["safety"], SAFETY))
    if metric == "backlog":
        return BACKLOG
    raise Misuse(
        "--autoscale needs to know what one instance can do. `plumbline bench --out bench.json` "
        "measures it, best on such an instance: then --benchmark bench.json. Or say it yourself: "
        "--target 600 is 600 requests a minute for each instance."
    )


def refuse_unread(asked: Mapping[str, Any], metric: str) -> None:
    """Raise `Misuse` for a benchmark that would not be read, or options of one that is not."""
    if asked["benchmark"] is None:
        for option in MEASURED:
            if asked[option] is not None:
                raise Misuse(f"--{option} goes with --benchmark bench.json.")
    elif asked["target"] is not None:
        raise Misuse("--target or --benchmark, one of the two: each says what an instance can do.")
    elif metric == "backlog":
        raise Misuse(
            "--benchmark does not say how many requests may wait, by which an --async endpoint is "
            f"scaled: leave it out ({BACKLOG:g} may wait for each instance), or say --target."
        )


# -- what was measured ----------------------------------------------------------------------------

SAFETY = 0.7
"""The share of what a machine can do that it should do: while another starts, load goes on."""

P95 = 200.0
"""Milliseconds in which 95 of 100 requests should be answered."""

KEYS = ("connections", "requests_per_second", "p95_ms", "errors")

Run = Mapping[str, float]
"""What was measured at so many connections."""


def read(file: Path) -> tuple[Run, ...]:
    """The runs of a benchmark file. Raises `Misuse`."""
    try:
        runs = json.loads(file.read_text("utf-8"))["runs"]
        return tuple({key: number(run[key]) for key in KEYS} for run in runs)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise Misuse(
            f"--benchmark {file} is no file that `plumbline bench --out {file}` wrote: "
            f"{type(exc).__name__}: {exc}."
        ) from exc


def number(value: Any) -> float:
    """A number; where nothing was answered, its time is null."""
    return math.inf if value is None else float(value)


def best(runs: tuple[Run, ...], p95: float) -> Run:
    """The run with most requests a second among those fast enough. Raises `Misuse` for none."""
    whole = [run for run in runs if not run["errors"]]
    if not whole:
        raise Misuse("The benchmark has no run without errors; measure again.")
    good = [run for run in whole if run["p95_ms"] <= p95]
    if not good:
        quickest = min(run["p95_ms"] for run in whole)
        raise Misuse(
            f"No run of the benchmark answered 95 of 100 requests within {p95:g} ms; the quickest "
            f"did within {quickest:g} ms. Allow more with --p95, or take a faster --instance and "
            "measure there."
        )
    return max(good, key=lambda run: run["requests_per_second"])


def measured_target(run: Run, metric: str, safety: float = SAFETY) -> float:
    """What one machine should have: requests a minute, or requests at a time."""
    if metric == "concurrency":
        return max(1.0, round(run["connections"] * safety, 2))
    return max(1.0, round(run["requests_per_second"] * 60 * safety, 2))
