"""What `plumbline bench` measured → what one machine should have to do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployment.errors import Misuse

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


def target(run: Run, metric: str, safety: float = SAFETY) -> float:
    """What one machine should have: requests a minute, or requests at a time."""
    if metric == "concurrency":
        return max(1.0, round(run["connections"] * safety, 2))
    return max(1.0, round(run["requests_per_second"] * 60 * safety, 2))
