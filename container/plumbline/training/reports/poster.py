"""The report as one picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from plumbline.results.drawing import lettering
from plumbline.results.drawing.render import in_words
from plumbline.training.reports.confusion import most_confused
from plumbline.training.reports.confusion_charts import bars, grid
from plumbline.training.reports.curves import charts
from plumbline.training.reports.outcome import (
    LARGEST_MATRIX,
    MOST_PAIRS,
    ClassificationReport,
    Mistake,
    Report,
    surest,
)
from plumbline.training.reports.raster import COLORS, GROUND, raster
from plumbline.training.reports.thumbnails import within

WIDTH, MARGIN, GAP = 1280, 40, 32
ROOM = WIDTH - 2 * MARGIN
HALF = (ROOM - GAP) // 2
LARGE, USUAL = 30, 16
"""The height of an em, in pixels."""

ACROSS = 6
"""Pictures of mistakes in a row."""

LEGIBLE, LARGEST = 1.4, 2.2
"""So many times larger than a matrix's own size it is drawn: at least beside others, at most."""

Row = Sequence[Image.Image]


def poster(report: ClassificationReport) -> Image.Image:
    """The report as an RGB image, `WIDTH` pixels wide and as high as it has to be."""
    rows = beginning(report)
    rows += confused(report)
    shown = surest(report.mistakes)
    rows.append([heading("Most confident mistakes" if shown else "No mistakes")])
    rows += [
        [framed(each) for each in shown[first : first + ACROSS]]
        for first in range(0, len(shown), ACROSS)
    ]
    return stacked(rows)


def beginning(report: Report) -> list[Row]:
    """What every report begins with: title, summary and curves."""
    rows: list[Row] = [[words(report.title, LARGE)]]
    rows += facts(report)
    drawings = [raster(chart, HALF) for chart in charts(report.history)]
    return rows + [drawings[first : first + 2] for first in range(0, len(drawings), 2)]


def facts(report: Report) -> list[Row]:
    """The summary in columns: names above their values."""
    width = (ROOM - 3 * GAP) // 4
    blocks = [
        above([words(name, USUAL - 2, width, quiet=True), words(value, USUAL + 2, width)], width)
        for name, value in report.summary.items()
    ]
    return [blocks[first : first + 4] for first in range(0, len(blocks), 4)]


def confused(report: ClassificationReport) -> list[Row]:
    """The matrix, if it can be looked at, and the pairs: beside it if there is room."""
    pairs = bars(most_confused(report.matrix, MOST_PAIRS), report.labels)
    beside = above([heading("Most confused classes"), raster(pairs, HALF)], HALF)
    if len(report.labels) > LARGEST_MATRIX:
        return [[beside]]
    chart = grid(report.matrix, report.labels)
    room = HALF if chart.width * LEGIBLE <= HALF else ROOM
    width = min(room, round(chart.width * LARGEST))
    matrix = above([heading("Confusion matrix"), raster(chart, width)], max(width, HALF))
    return [[matrix, beside]] if room == HALF else [[matrix], [beside]]


def framed(mistake: Mistake) -> Image.Image:
    """A mistake's picture, and below it what it is, what it was taken for, and its name."""
    side = (ROOM - (ACROSS - 1) * GAP) // ACROSS
    picture = within(mistake.picture, side)
    square = Image.new("RGB", (side, side), COLORS["grid"])
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    name = mistake.name.rpartition("/")[2]
    lines = [
        words(mistake.truth, USUAL, side),
        words(f"→ {mistake.predicted}", USUAL, side),
        words(f"{in_words(mistake.score, 3)}  {name}", USUAL - 2, side, quiet=True),
    ]
    return above([square, *lines], side)


def heading(text: str) -> Image.Image:
    """The words above a part."""
    return words(text, USUAL + 5)


def words(text: str, size: int, room: int = ROOM, quiet: bool = False) -> Image.Image:
    """A line of text."""
    line = lettering.fitted(text, size, room)
    image = Image.new("RGB", (max(1, lettering.width(line, size)), lettering.height(size)), GROUND)
    lettering.write(image, 0, 0, line, size, COLORS["quiet" if quiet else "ink"])
    return image


def above(images: Sequence[Image.Image], width: int) -> Image.Image:
    """Images below each other."""
    gap = 6
    block = Image.new("RGB", (width, sum(each.height + gap for each in images)), GROUND)
    top = 0
    for each in images:
        block.paste(each, (0, top))
        top += each.height + gap
    return block


def stacked(rows: Sequence[Row]) -> Image.Image:
    """All rows, with margins."""
    heights = [max(each.height for each in row) for row in rows]
    height = 2 * MARGIN + sum(heights) + GAP * (len(rows) - 1)
    image = Image.new("RGB", (WIDTH, height), GROUND)
    top = MARGIN
    for row, tallest in zip(rows, heights, strict=True):
        left = MARGIN
        for each in row:
            image.paste(each, (left, top))
            left += each.width + GAP
        top += tallest + GAP
    return image
