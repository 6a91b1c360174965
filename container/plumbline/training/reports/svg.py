"""Drawings as SVG inside a page, in the colours of its style sheet."""

from __future__ import annotations

import html
import math
import unicodedata
from functools import singledispatch

from plumbline.results.drawing import lettering
from plumbline.training.reports.shapes import Box, Drawing, Line, Shape, Text

NOT_TEXT = ("Cc", "Cs")
REPLACEMENT = "\ufffd"
LONGEST = 300


def escaped(text: str) -> str:
    """A text in one line for a page, whatever it is: no markup, no control character."""
    line = " ".join(text.split())
    short = line if len(line) <= LONGEST else line[: LONGEST - 1] + lettering.ELLIPSIS
    return html.escape(
        "".join(REPLACEMENT if unicodedata.category(each) in NOT_TEXT else each for each in short)
    )


def svg(drawing: Drawing) -> str:
    """An element that has the drawing's proportions, as wide as the style sheet makes it."""
    shapes = "\n".join(element(shape) for shape in drawing.shapes)
    return (
        f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" '
        f'style="--natural:{drawing.width:g}px" aria-label="{escaped(drawing.words)}">\n'
        f"{shapes}\n</svg>"
    )


@singledispatch
def element(shape: Shape) -> str:
    """A shape as an element; its role is its class."""
    raise NotImplementedError(type(shape))


@element.register
def _(shape: Line) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in (*shape.points, *shape.points[-1:]))
    return f'<polyline class="{shape.role}" stroke-width="{shape.width:g}" points="{points}"/>'


@element.register
def _(shape: Box) -> str:
    told = f"<title>{escaped(shape.told)}</title>" if shape.told else ""
    return (
        f'<rect class="{shape.role}" fill-opacity="{shape.opacity:g}" x="{shape.left:g}" '
        f'y="{shape.top:g}" width="{shape.width:g}" height="{shape.height:g}">{told}</rect>'
    )


@element.register
def _(shape: Text) -> str:
    words = cut(" ".join(shape.words.split()), shape.size, shape.room)
    turned = f' transform="rotate(-90 {shape.x:g} {shape.y:g})"' if shape.upright else ""
    told = f"<title>{escaped(shape.words)}</title>" if words.endswith(lettering.ELLIPSIS) else ""
    return (
        f'<text class="{shape.role}" x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size:g}" '
        f'text-anchor="{shape.anchor}"{turned}>{told}{escaped(words)}</text>'
    )


def cut(words: str, size: float, room: float) -> str:
    """The words as far as they fit in the fonts of pictures, which are wider than most."""
    line = lettering.fitted(words, math.ceil(size), int(room))
    if line == lettering.shown(words):
        return words
    return words[: len(line) - 1].rstrip() + lettering.ELLIPSIS
