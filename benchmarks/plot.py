"""Throughput against latency, one panel a model, as an SVG that needs no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 30, 44
LEGEND_ROW = 18
COLUMNS = 2

COLOURS = (
    *("#0b6e4f", "#4fb286", "#c1440e", "#3d5a98", "#a8329e"),
    *("#c79a00", "#5b5b5b", "#00a0b0", "#e377a2", "#8c6239"),
)

Point = tuple[float, float]
"""Latency in milliseconds, requests a second."""


@dataclass(frozen=True)
class Axes:
    """Logarithmic axes that hold all points; `x` and `y` are exponents of ten."""

    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, point: Point) -> Point:
        """A point in the panel's pixels."""
        across, up = (math.log10(value) for value in point)
        return (
            LEFT + (across - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (up - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - TOP - BOTTOM),
        )


def axes_for(points: Sequence[Point]) -> Axes:
    """Axes with a little room around the points."""
    across, up = zip(*((math.log10(x), math.log10(y)) for x, y in points), strict=True)
    return Axes((min(across) - 0.1, max(across) + 0.1), (min(up) - 0.1, max(up) + 0.1))


def ticks(low: float, high: float) -> Iterator[float]:
    """The 1, 2 and 5 of every decade between two exponents."""
    for decade in range(math.floor(low), math.ceil(high) + 1):
        for step in (1, 2, 5):
            value = step * 10.0**decade
            if low <= math.log10(value) <= high:
                yield value


def text(x: float, y: float, said: str, anchor: str = "middle", more: str = "") -> str:
    """A text element."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(said)}</text>'


def grid(axes: Axes) -> Iterator[str]:
    """Lines and numbers."""
    for value in ticks(*axes.x):
        x, _ = axes.place((value, 10 ** axes.y[0]))
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        yield text(x, HEIGHT - BOTTOM + 14, f"{value:g}")
    for value in ticks(*axes.y):
        _, y = axes.place((10 ** axes.x[0], value))
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield text(LEFT - 5, y + 4, f"{value:g}", "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "median latency, ms")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield text(14, middle, "requests/s", "middle", f'transform="rotate(-90 14 {middle:.1f})"')


def line(axes: Axes, points: Sequence[Point], colour: str) -> Iterator[str]:
    """One contender: from few connections to many."""
    placed = [axes.place(point) for point in points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in placed:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def panel(title: str, series: Mapping[str, Sequence[Point]], colours: Mapping[str, str]) -> str:
    """One model."""
    parts = [text(LEFT, 18, title, "start", 'font-weight="bold"')]
    shown = {name: points for name, points in series.items() if points}
    if shown:
        axes = axes_for([point for points in shown.values() for point in points])
        parts += grid(axes)
        for name, points in shown.items():
            parts += line(axes, points, colours[name])
    return "".join(parts)


def draw(panels: Mapping[str, Mapping[str, Sequence[Point]]]) -> str:
    """The whole picture: of each title its series of points by name."""
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    rows = math.ceil(len(panels) / COLUMNS)
    height = rows * HEIGHT + LEGEND_ROW * math.ceil(len(names) / COLUMNS) + 10
    size = f'width="{COLUMNS * WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        "<style>.grid{stroke:#ddd;fill:none}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, (title, series) in enumerate(panels.items()):
        row, column = divmod(index, COLUMNS)
        inside = panel(title, series, colours)
        parts.append(f'<g transform="translate({column * WIDTH} {row * HEIGHT})">{inside}</g>')
    for index, name in enumerate(names):
        row, column = divmod(index, COLUMNS)
        x, y = LEFT + column * WIDTH, rows * HEIGHT + row * LEGEND_ROW + 10
        parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{colours[name]}"/>')
        parts.append(text(x + 12, y + 4, name, "start"))
    return "\n".join([*parts, "</svg>", ""])
