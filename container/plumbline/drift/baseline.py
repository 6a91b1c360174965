"""baseline.json of an archive: what was counted of the pictures that it was packed with."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.archive.damage import told
from plumbline.archive.json_files import parse_json
from plumbline.archive.manifest import BASELINE
from plumbline.drift.picture_summary import NUMBERS, Observation
from plumbline.errors import ArchiveError

MOST_BINS = 10

A_BIN = 5
"""Pictures that a bin between the extremes should have."""

MOST_CLASSES = 20
"""The commonest are counted by themselves, all others together."""

MOST_LABEL = 100
"""Characters of a label that tell it from others."""

DAMAGED = (
    f"{BASELINE} is not as `plumbline pack` writes it; pack the model again, or delete it: answers "
    "are the same without it."
)


@dataclass(frozen=True)
class Spread:
    """How a number is spread: the upper edges of its bins, and the share of pictures in each.

    The last bin has no upper edge. Of 100 values 5 are below `low`, 50 below `middle`, 95 below
    `high`.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Class:
    """One of the commonest classes, and its share of all that was answered."""

    class_id: int
    label: str
    share: float


@dataclass(frozen=True)
class Baseline:
    """What was counted of so many pictures."""

    task: str
    pictures: int
    numbers: Mapping[str, Spread] = field(default_factory=dict)
    classes: tuple[Class, ...] = ()

    @property
    def other(self) -> float:
        """The share of all classes that are not told by themselves."""
        return max(0.0, 1.0 - sum(one.share for one in self.classes)) if self.classes else 0.0


# -- making ---------------------------------------------------------------------------------------


def of(task: str, seen: Sequence[Observation]) -> Baseline:
    """The baseline of what was seen."""
    values: dict[str, list[float]] = defaultdict(list)
    for one in seen:
        for name, value in one.numbers.items():
            if math.isfinite(value):
                values[name].append(value)
    numbers = {name: spread(values[name]) for name in NUMBERS if values[name]}
    return Baseline(task, len(seen), numbers, tuple(commonest(seen)))


def spread(values: Sequence[float]) -> Spread:
    """Bins of about as many values each, and one beyond each of the extremes."""
    inner = np.quantile(values, np.linspace(0, 1, min(MOST_BINS - 2, 1 + len(values) // A_BIN) + 1))
    below = () if inner[0] == 0 else (rounded(inner[0] - abs(inner[0]) * 1e-4, math.floor),)
    between = [rounded(each, round) for each in inner[1:-1]]
    edges = sorted({*below, *between, rounded(inner[-1], math.ceil)})
    low, middle, high = (rounded(each, round) for each in np.quantile(values, (0.05, 0.5, 0.95)))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    shares = tuple(rounded(each, round) for each in counts / len(values))
    return Spread(tuple(edges), shares, low, middle, high)


def rounded(value: float, how: Any) -> float:
    """Four digits of a number: more would differ from machine to machine."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return float(f"{how(value / unit) * unit:.4g}")


def commonest(seen: Iterable[Observation]) -> Iterable[Class]:
    """The classes that were answered most, the commonest first, by their shares."""
    weights: dict[tuple[int, str], float] = defaultdict(float)
    for one in seen:
        for index, label, weight in one.classes:
            weights[index, clean(label)] += weight
    whole = sum(weights.values()) or 1.0
    order = sorted(weights.items(), key=lambda pair: (-round(pair[1] / whole, 6), pair[0]))
    for (index, label), weight in order[:MOST_CLASSES]:
        yield Class(index, label, rounded(weight / whole, round))


def clean(label: str) -> str:
    """A label as it may stand in any text: labels are whatever somebody wrote."""
    return label[:MOST_LABEL].encode("utf-8", "replace").decode()


# -- keeping --------------------------------------------------------------------------------------


def write(root: Path, found: Baseline) -> None:
    """Write the file into the folder `root`."""
    (root / BASELINE).write_text(json.dumps(asdict(found), indent=2) + "\n", "utf-8")


def read(root: Path) -> Baseline | None:
    """The baseline in an archive's folder, if there is one. Raises `ArchiveError`."""
    file = root / BASELINE
    if not file.is_file():
        return None
    with told(BASELINE, "JSON"):
        document = parse_json(file.read_bytes(), BASELINE)
    try:
        numbers = {name: read_spread(one) for name, one in document["numbers"].items()}
        classes = tuple(
            Class(int(one["class_id"]), clean(str(one["label"])), finite(one["share"]))
            for one in document["classes"][:MOST_CLASSES]
        )
        task, pictures = str(document["task"]), int(document["pictures"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise ArchiveError(DAMAGED) from exc
    known = {name: numbers[name] for name in NUMBERS if name in numbers}
    return Baseline(task, max(1, pictures), known, classes)


def read_spread(document: Mapping[str, Any]) -> Spread:
    """Bins of one number. Raises `ValueError` for what are none."""
    edges = tuple(map(finite, document["edges"]))
    shares = tuple(map(finite, document["shares"]))
    ascending = list(edges) == sorted(set(edges))
    if not (0 < len(edges) < MOST_BINS and len(shares) == len(edges) + 1 and ascending):
        raise ValueError(edges)
    if min(shares) < 0:
        raise ValueError(shares)
    return Spread(edges, shares, *(finite(document[key]) for key in ("low", "middle", "high")))


def finite(value: Any) -> float:
    """A number. Raises `ValueError` for one without an end."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number
