"""Captured requests + an archive's baseline → how far each quantity has moved, and odd pictures."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import NamedTuple

import numpy as np

from plumbline.drift.baseline import Baseline, Spread
from plumbline.drift.looks import Look, look
from plumbline.drift.picture_summary import NUMBERS, Observation
from plumbline.drift.stability import Moved, moved
from plumbline.errors import PlumblineError
from plumbline.monitoring.captured_lines import Capture, Captured
from plumbline.monitoring.told_answers import OfAnother, Untold, observations
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Pixels
from plumbline.vision.images import Limits, decode, to_draw_on
from plumbline.wire.json_documents import check_memory
from plumbline.wire.requests import Pictures, Request, read

MOST_UNUSUAL = 24

FAR = 10.0
"""A number is no farther from the usual than this: beyond, it is as odd as can be."""

UNKNOWN_CLASS = 3.0
"""How far a class is that no picture of the baseline showed."""

MOST_MEMORY = 2 * 1024**3
"""Bytes that the JSON of one request may take."""

ANOTHER, REFUSED = "answered by another model, or unreadable", "refused by the server"

CLASSES = "classes"


class Quantity(NamedTuple):
    """One quantity: the shares of its bins then and now, `names` of these, and how far it moved."""

    name: str
    names: tuple[str, ...]
    then: tuple[float, ...]
    now: tuple[float, ...]
    middle: tuple[float, float] | None
    """The median then and now; of classes there is none."""
    moved: Moved
    pictures: int


@dataclass(frozen=True, order=True)
class Unusual:
    """A picture that is far from the usual, and in what."""

    distance: float
    number: int
    reasons: tuple[str, ...] = field(compare=False)
    what: str = field(compare=False)
    when: str = field(compare=False)
    picture: Pixels | None = field(compare=False, default=None)


@dataclass(frozen=True)
class Report:
    """All that was found."""

    usual: Baseline
    lines: int
    pictures: int
    between: tuple[str, str]
    """The times of the first and the last request, as they were captured."""
    quantities: tuple[Quantity, ...]
    unusual: tuple[Unusual, ...]
    left_out: dict[str, int]


@dataclass
class Collected:
    """What has been counted so far."""

    usual: Baseline
    spec: ModelSpec
    limits: Limits
    pictures: int = 0
    numbers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    classes: dict[int | None, float] = field(default_factory=lambda: defaultdict(float))
    answered: int = 0
    """Pictures with classes."""
    times: list[str] = field(default_factory=list)
    unusual: list[Unusual] = field(default_factory=list)

    def add(self, found: Observation, data: bytes | None, about: Captured) -> None:
        """Count one picture."""
        self.pictures += 1
        for name, value in found.numbers.items():
            if name in self.usual.numbers and math.isfinite(value):
                self.numbers[name].append(value)
        known = {one.class_id for one in self.usual.classes}
        for index, _, weight in found.classes:
            self.classes[index if index in known else None] += weight
        self.answered += bool(found.classes)
        if about.when:
            self.times = [min([*self.times, about.when]), max([*self.times, about.when])]
        self.keep(found, data, about)

    def keep(self, found: Observation, data: bytes | None, about: Captured) -> None:
        """Keep the picture while it is one of the most unusual."""
        oddities = sorted(distances(found, self.usual), reverse=True)
        odd = [(distance, told) for distance, told in oddities if distance > 1]
        if not odd:
            return
        far = min(FAR, odd[0][0]) + 1e-3 * sum(min(FAR, distance) for distance, _ in odd)
        full = len(self.unusual) >= MOST_UNUSUAL
        if full and (far, -self.pictures) < (self.unusual[0].distance, self.unusual[0].number):
            return
        reasons = tuple(told for _, told in odd)
        shown = self.small(data) if data else None
        one = Unusual(far, -self.pictures, reasons, about.what, about.when, shown)
        (heapq.heapreplace if full else heapq.heappush)(self.unusual, one)

    def small(self, data: bytes) -> Pixels | None:
        """A picture for the page: decoded, so that nothing of its file gets there."""
        declared = self.spec.preprocess
        try:
            pixels = to_draw_on(data, color=declared.color, exif=declared.exif, limits=self.limits)
        except PlumblineError:
            return None
        step = max(1, max(pixels.shape) // SHOWN)
        return np.ascontiguousarray(pixels[::step, ::step])

    def look(self, data: bytes) -> Look | None:
        """What a picture looks like to the model; None where it can't be decoded."""
        if not set(Look._fields) & set(self.usual.numbers):
            return None
        declared = self.spec.preprocess
        return look(
            decode(
                data,
                color=declared.color,
                exif=declared.exif,
                limits=self.limits,
                decoder=declared.decoder,
            )
        )


SHOWN = 512
"""Pixels of a picture's longer side that are kept."""


def report(capture: Capture, usual: Baseline, spec: ModelSpec, limits: Limits, most: int) -> Report:
    """What the newest `most` captured pictures say."""
    found = Collected(usual, spec, limits)
    for one in capture:
        try:
            add(found, one)
        except OfAnother:
            capture.left_out[ANOTHER] += 1
        except PlumblineError:
            capture.left_out[REFUSED] += 1
        if found.pictures >= most:
            break
    return Report(
        usual,
        capture.lines,
        found.pictures,
        (found.times[0], found.times[-1]) if found.times else ("", ""),
        tuple(quantities(found)),
        tuple(sorted(found.unusual, reverse=True)),
        dict(capture.left_out),
    )


def add(found: Collected, one: Captured) -> None:
    """Count the pictures of a request. Raises `OfAnother`, or a `PlumblineError`."""
    check_memory(one.answer, MOST_MEMORY)
    try:
        told = observations(one.answer, one.answer_type, found.usual)
    except Untold:
        told = []
    items: Sequence[object] = ()
    if one.request:
        check_memory(one.request, MOST_MEMORY)
        payload = read(Request(one.request, one.request_type))
        items = payload.items if isinstance(payload, Pictures) else ()
    if told and items and len(told) != len(items):
        raise OfAnother
    nothing = Observation()
    for item, seen in zip_longest(items, told, fillvalue=nothing):
        if seen is None or not isinstance(seen, Observation):
            continue
        data = item if isinstance(item, bytes) else None
        found.add(seen.with_look(found.look(data) if data else None), data, one)


# -- how far --------------------------------------------------------------------------------------


def distances(found: Observation, usual: Baseline) -> Iterator[tuple[float, str]]:
    """How far each number is from the usual, where 1 is 5 or 95 of 100, and how that is told."""
    for name, value in found.numbers.items():
        spread = usual.numbers.get(name)
        if spread is not None and math.isfinite(value):
            is_usual = f"usual: {spread.low:.3g} to {spread.high:.3g}"
            words = f"{name.replace('_', ' ')} {value:.3g} ({is_usual})"
            yield distance(value, spread), words
    if usual.classes and usual.other == 0:
        known = {one.class_id for one in usual.classes}
        for index, label, _ in found.classes:
            if index not in known:
                yield UNKNOWN_CLASS, f"class {label} (in no picture of the baseline)"
                return


def distance(value: float, spread: Spread) -> float:
    """How far a number is from the median, as a multiple of what is usual on its side."""
    side = spread.high - spread.middle if value > spread.middle else spread.middle - spread.low
    return abs(value - spread.middle) / max(side, 0.05 * abs(spread.middle), 1e-6)


def quantities(found: Collected) -> Iterator[Quantity]:
    """Each quantity that the baseline has and captured pictures have, too."""
    for name in NUMBERS:
        spread, values = found.usual.numbers.get(name), found.numbers.get(name)
        if spread and values:
            yield of_number(name, spread, values, found.usual.pictures)
    whole = sum(found.classes.values())
    if found.usual.classes and whole:
        order = [one.class_id for one in found.usual.classes]
        names = [one.label for one in found.usual.classes]
        then = [*(one.share for one in found.usual.classes), found.usual.other]
        now = [found.classes[each] / whole for each in [*order, None]]
        pictures = (found.usual.pictures, found.answered)
        far = moved(then, now, pictures)
        bins = (*names, "other"), tuple(then), tuple(now)
        yield Quantity(CLASSES, *bins, None, far, found.answered)


def of_number(name: str, spread: Spread, values: Sequence[float], pictures: int) -> Quantity:
    """How far one number has moved."""
    places = np.searchsorted(spread.edges, values)
    counts = np.bincount(places, minlength=len(spread.shares))
    edges = [f"{edge:.4g}" for edge in spread.edges]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    names = (f"to {edges[0]}", *between, f"above {edges[-1]}")
    now = tuple((counts / len(values)).tolist())
    far = moved(spread.shares, now, (pictures, len(values)))
    middle = spread.middle, float(np.median(values))
    return Quantity(name, names, spread.shares, now, middle, far, len(values))
