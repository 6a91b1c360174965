"""What a server can do, load by load, and the file in which deploy.py reads it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plumbline
from plumbline.client.base import Server, ask, read_picture
from plumbline.client.load_generator import Run, load
from plumbline.machine import cgroups
from plumbline.settings.variable_values import MEBIBYTE

FORMAT = 1
"""Of the file; another number is for another form."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Order:
    """What is to be measured; `p95` is in milliseconds."""

    pictures: tuple[Path, ...]
    connections: tuple[int, ...]
    seconds: float
    p95: float


def bench(server: Server, order: Order, tell: Callable[[Run], None]) -> list[Run]:
    """Every load in turn; the server must first answer every picture. Raises a `CommandError`."""
    pictures = [read_picture(file, server.most_bytes) for file in order.pictures]
    for picture in pictures:
        ask(server, picture, "application/json", "")
    runs = []
    for connections in order.connections:
        runs.append(load(server, pictures, connections, order.seconds))
        tell(runs[-1])
    return runs


def sustained(runs: Sequence[Run], p95: float) -> Run | None:
    """The fastest of those that answered everything in time, if one did."""
    return max((run for run in runs if run.within(p95)), key=lambda run: run.rate, default=None)


def document(server: Server, target: str, order: Order, runs: Sequence[Run]) -> dict[str, Any]:
    """The file."""
    best = sustained(runs, order.p95)
    return {
        "format": FORMAT,
        "plumbline": plumbline.__version__,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": target,
        "machine": machine() if server.place.hostname in LOOPBACK else None,
        "pictures": [file.name for file in order.pictures],
        "seconds": order.seconds,
        "runs": [described(run) for run in runs],
        "p95_limit_ms": order.p95,
        "sustained": described(best) if best else None,
    }


def described(run: Run) -> dict[str, Any]:
    """One load; times are in milliseconds, null where nothing was answered."""
    return {
        "connections": run.connections,
        "requests": run.requests,
        "requests_per_second": round(run.rate, 3),
        **{f"p{each}_ms": rounded(run.latencies.get(each)) for each in (50, 90, 95, 99)},
        "errors": sum(run.errors.values()),
        "reasons": dict(run.errors),
        "seconds": round(run.seconds, 3),
        "client_cores": round(run.client_cores, 3),
    }


def rounded(milliseconds: float | None) -> float | None:
    """A time as the file has it."""
    return None if milliseconds is None else round(milliseconds, 3)


def machine() -> dict[str, Any]:
    """Where server and client ran, as its control groups limit it."""
    found = cgroups.machine()
    return {
        "cores": found.cores,
        "memory_mib": found.memory // MEBIBYTE,
        "processor": platform.machine(),
    }
