"""The history of a job as charts: loss and accuracy, epoch by epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plumbline.training.reports.axes import LARGEST, Axis, axis_for, epoch_axis, written
from plumbline.training.reports.shapes import Drawing, Line, Role, Shape, Text

WIDTH, HEIGHT = 440.0, 270.0
LEFT, TOP, RIGHT, BOTTOM = 58.0, 34.0, 14.0, 40.0

FIRST = ("loss", "accuracy")
MOST_CHARTS = 4

VALIDATED = re.compile("val_|validation:|val:")
TRAINED = re.compile("train_|train:")
"""What metrics begin with in Keras, and in the lines of the built-in algorithms."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Metric:
    """One metric over the epochs; NaN where it lacks."""

    name: str
    training: Sequence[float] = ()
    validation: Sequence[float] = ()

    @property
    def curves(self) -> list[tuple[str, Role, Sequence[float]]]:
        """Those that there are, with their names and roles."""
        both: list[tuple[str, Role, Sequence[float]]] = [
            ("training", "training", self.training),
            ("validation", "validation", self.validation),
        ]
        return [each for each in both if each[2]]


def charts(history: Sequence[Mapping[str, float]]) -> list[Drawing]:
    """A chart for each metric, at most four: loss and accuracy first."""
    return [chart(metric, len(history)) for metric in metrics(history)[:MOST_CHARTS]]


def metrics(history: Sequence[Mapping[str, float]]) -> list[Metric]:
    """The metrics of a history, of training and validation together."""
    found: dict[str, dict[str, Sequence[float]]] = {name: {} for name in FIRST}
    for key in dict.fromkeys(key for row in history for key in row if key != "epoch"):
        part = "validation" if VALIDATED.match(key) else "training"
        name = VALIDATED.sub("", TRAINED.sub("", key, count=1), count=1)
        values = [float(row.get(key, math.nan)) for row in history]
        found.setdefault(name, {})[part] = values
    return [Metric(name, **parts) for name, parts in found.items() if parts]


def chart(metric: Metric, epochs: int) -> Drawing:
    """The curves of a metric, with axes and a legend."""
    across = epoch_axis(epochs)
    values = [value for _, _, each in metric.curves for value in each]
    # One epoch tells of no change that would have to be looked at closely.
    up = axis_for(values if epochs > 1 else [0.0, *values])
    shapes: list[Shape] = [Text(LEFT, 18, metric.name, size=14, room=WIDTH / 2 - LEFT)]
    shapes += legend(metric)
    if not any(map(math.isfinite, values)) or up is None:
        shapes.append(Text(WIDTH / 2, HEIGHT / 2, "no numbers", "quiet", anchor="middle"))
    else:
        shapes += frame(across, up)
        for _, role, each in metric.curves:
            shapes += curve(each, role, across, up)
    return Drawing.of(WIDTH, HEIGHT, f"{metric.name} by epoch", shapes)


def legend(metric: Metric) -> Iterator[Shape]:
    """The names of the curves, beside a piece of each."""
    left = WIDTH - RIGHT - 96 * len(metric.curves)
    for name, role, _ in metric.curves:
        yield Line(((left, 14), (left + 18, 14)), role, 3)
        yield Text(left + 24, 18, name)
        left += 96


def frame(across: Axis, up: Axis) -> Iterator[Shape]:
    """Both axes with their ticks."""
    for tick in up.ticks:
        y = place_up(up, tick)
        yield Line(((LEFT, y), (WIDTH - RIGHT, y)), "grid")
        yield Text(LEFT - 7, y + 4, written(tick), "quiet", anchor="end", room=LEFT - 7)
    bottom = HEIGHT - BOTTOM
    for tick in across.ticks:
        x = place_across(across, tick)
        yield Line(((x, bottom), (x, bottom + 4)), "quiet")
        yield Text(x, bottom + 17, written(tick), "quiet", anchor="middle")
    yield Line(((LEFT, bottom), (WIDTH - RIGHT, bottom)), "quiet")
    scale = "epoch (values on a logarithmic scale)" if up.logarithmic else "epoch"
    yield Text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, scale, "quiet", anchor="middle")


def curve(values: Sequence[float], role: Role, across: Axis, up: Axis) -> Iterator[Shape]:
    """A line, broken where a value is no number; dots where it would be too short to see."""
    piece: list[tuple[float, float]] = []
    for epoch, value in enumerate([*values, math.nan], start=1):
        if abs(value) < LARGEST:
            piece.append((place_across(across, epoch), place_up(up, value)))
        elif piece:
            yield Line(tuple(piece), role, 2 if len(piece) > 1 else 7)
            piece = []


def place_across(axis: Axis, epoch: float) -> float:
    """Where an epoch is, from the left."""
    return round(LEFT + axis.share(epoch) * (WIDTH - LEFT - RIGHT), 1)


def place_up(axis: Axis, value: float) -> float:
    """Where a value is, from the top."""
    return round(HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM), 1)
