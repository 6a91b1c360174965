"""A training job, looked at by Plumbline's own command line before anything is uploaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deployment.errors import Misuse
from deployment.proof.inspection import plumbline, told


@dataclass(frozen=True)
class Known:
    """What is known of a recipe: its name, its MetricDefinitions, and how many epochs it trains."""

    recipe: str
    metrics: Mapping[str, str]
    epochs: int | None
    warnings: tuple[str, ...]
    types: Mapping[str, Mapping[str, str]]
    """Of each value that a search may choose: int, float, str …"""


def look(
    channels: Mapping[str, object], given: Mapping[str, str], tried: Iterable[tuple[str, str]] = ()
) -> Known:
    """What would train on these channels. Raises `Misuse` for what a job would refuse."""
    words = [
        *written("--channel", channels.items()),
        *written("--set", given.items()),
        *written("--try", tried),
    ]
    done = plumbline("recipe", *words, "--json")
    if done.returncode:
        raise Misuse(f"{told(done)} Nothing was sent to AWS.")
    said = json.loads(done.stdout)
    return Known(
        said["recipe"],
        said["metrics"],
        said["epochs"],
        tuple(said["warnings"]),
        said["tried"],
    )


def written(option: str, pairs: Iterable[tuple[str, object]]) -> Iterator[str]:
    """NAME=VALUE, several times."""
    for name, value in pairs:
        yield from (option, f"{name}={value}")
