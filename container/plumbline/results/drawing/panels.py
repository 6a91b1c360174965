"""What stands below a picture: classes with their bars, or the legend of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from plumbline.results.drawing import lettering
from plumbline.results.drawing.canvas import GROUND
from plumbline.results.task_results import Color

MOST_LISTED = 20
"""Classes in a panel; of the others only the number is said."""

INK: Color = (235, 237, 240)
BAR: Color = (82, 148, 226)
TRACK: Color = (58, 63, 73)
FRAME: Color = (120, 126, 138)
"""Around a colour of the legend, which may be as dark as the ground."""


class Bar(NamedTuple):
    """A class, its score in words, and how much of the room its bar takes, from 0 to 1."""

    label: str
    score: str
    share: float


class Entry(NamedTuple):
    """A class in a legend, its share of the pixels in words, and its colour."""

    label: str
    share: str
    color: Color


def bars(classes: Sequence[Bar], width: int, size: int) -> Image.Image:
    """A panel of this width with a row for each class: label, bar, score.

    `size` is that of the text, in pixels.
    """
    listed = classes[:MOST_LISTED]
    labels = [lettering.fitted(each.label, size, width * 2 // 5) for each in listed]
    gap, row = size * 2 // 3, line(size)
    left = 2 * gap + widest(labels, size)
    right = width - 2 * gap - widest([each.score for each in listed], size)
    panel = blank(width, len(listed), len(classes), size)
    pen = ImageDraw.Draw(panel)
    for number, (label, each) in enumerate(zip(labels, listed, strict=True)):
        top = gap + row * number
        lettering.write(panel, gap, top, label, size, INK)
        lettering.write(panel, right + gap, top, each.score, size, INK)
        track = (left, top + size // 4, right, top + lettering.height(size) - size // 4)
        pen.rectangle(track, TRACK)
        filled = round(each.share * (right - left))
        if filled:
            pen.rectangle((left, track[1], left + filled, track[3]), BAR)
    return panel


def legend(entries: Sequence[Entry], width: int, size: int) -> Image.Image:
    """A panel of this width with a colour, a label and a share for each class, in columns.

    `size` is that of the text, in pixels.
    """
    listed = entries[:MOST_LISTED]
    gap, row = size * 2 // 3, line(size)
    shares = widest([each.share for each in listed], size)
    room = width - 4 * gap - size - shares
    labels = [lettering.fitted(each.label, size, room) for each in listed]
    column = size + widest(labels, size) + shares + 3 * gap
    columns = max(1, (width - gap) // column)
    rows = -(-len(listed) // columns)
    panel = blank(width, rows, len(entries), size)
    pen = ImageDraw.Draw(panel)
    for number, (label, each) in enumerate(zip(labels, listed, strict=True)):
        left, top = gap + number // rows * column, gap + number % rows * row
        square = (left, top + size // 6, left + size, top + size // 6 + size)
        pen.rectangle(square, each.color, FRAME, max(1, size // 14))
        lettering.write(panel, left + size + gap, top, label, size, INK)
        right = left + column - gap - lettering.width(each.share, size)
        lettering.write(panel, right, top, each.share, size, INK)
    return panel


def blank(width: int, rows: int, classes: int, size: int) -> Image.Image:
    """A panel with room for some rows; the last says how many classes are not listed."""
    gap, rest = size * 2 // 3, classes - MOST_LISTED
    panel = Image.new("RGB", (width, line(size) * (rows + (rest > 0)) + 2 * gap), GROUND)
    if rest > 0:
        lettering.write(panel, gap, gap + line(size) * rows, f"and {rest} more", size, INK)
    return panel


def line(size: int) -> int:
    """The height of a row."""
    return lettering.height(size) + size // 4


def widest(lines: Sequence[str], size: int) -> int:
    """The width of the longest of these texts."""
    return max(lettering.width(each, size) for each in lines)
