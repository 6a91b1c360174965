"""What charts are made of, for the page and the picture alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Role = Literal["ink", "quiet", "grid", "training", "validation", "right", "wrong", "on"]
"""What a shape is for; each form gives it a colour. `on` is for text on `right` and `wrong`."""

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Line:
    """A line through points `(x, y)`; through one alone, a dot."""

    points: tuple[tuple[float, float], ...]
    role: Role
    width: float = 1.0


@dataclass(frozen=True)
class Box:
    """A filled rectangle, as opaque as `opacity` says; `told` is what it shows when pointed at."""

    left: float
    top: float
    width: float
    height: float
    role: Role
    opacity: float = 1.0
    told: str = ""


@dataclass(frozen=True)
class Text:
    """A line of text in `room` pixels, cut where it is longer. `y` is that of its baseline.

    An `upright` one runs from the bottom to the top, and `x` is that of its baseline.
    """

    x: float
    y: float
    words: str
    role: Role = "ink"
    size: float = 12.0
    anchor: Anchor = "start"
    room: float = 1000.0
    upright: bool = False


Shape: TypeAlias = Line | Box | Text


@dataclass(frozen=True)
class Drawing:
    """Shapes on an area; `words` say what it shows to who can't see it."""

    width: float
    height: float
    words: str
    shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, width: float, height: float, words: str, shapes: Iterable[Shape]) -> Drawing:
        """A drawing of these shapes, the lowest first."""
        return cls(width, height, words, tuple(shapes))
