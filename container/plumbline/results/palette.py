"""Colours for classes, and for what is written on them."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from plumbline.results.task_results import Color

BLACK = (0, 0, 0)
WHITE = (255, 255, 255)

FIRST: tuple[Color, ...] = (
    BLACK,
    (230, 25, 75),
    (60, 180, 75),
    (0, 130, 200),
    (255, 225, 25),
    (245, 130, 48),
    (145, 30, 180),
    (70, 240, 240),
    (240, 50, 230),
    (170, 110, 40),
    (0, 128, 128),
    (210, 245, 60),
    (250, 190, 212),
    (0, 0, 128),
    (128, 0, 0),
    (170, 255, 195),
    (128, 128, 0),
    (220, 190, 255),
    (255, 215, 180),
    (0, 100, 0),
    (255, 250, 200),
)
"""Black for the background, then twenty colours that have names of their own."""

DISTINCT = 255
LEVELS = range(0, 256, 32)


def colors(classes: int) -> tuple[Color, ...]:
    """A colour for each of so many classes, the same every time: black for the first.

    The first twenty after it are told apart at a glance, and 255 are distinct; then they repeat.
    """
    table = distinct()
    again = table[1:] * (classes // (DISTINCT - 1))
    return (*table, *again)[:classes]


@lru_cache(maxsize=1)
def distinct() -> tuple[Color, ...]:
    """Colours that differ: to those of `FIRST`, the farthest from all before is added each time."""
    candidates = np.array(list(product(LEVELS, repeat=3)))
    chosen = list(FIRST)
    nearest = np.min([distances(candidates, color) for color in chosen], axis=0)
    while len(chosen) < DISTINCT:
        red, green, blue = map(int, candidates[nearest.argmax()])
        chosen.append((red, green, blue))
        nearest = np.minimum(nearest, distances(candidates, chosen[-1]))
    return tuple(chosen)


def distances(candidates: NDArray[np.int64], color: Color) -> NDArray[np.int64]:
    """How far colours `[n, 3]` look from another, squared ("redmean"), in whole numbers."""
    red, green, blue = (candidates - color).T
    mean = (candidates[:, 0] + color[0]) // 2
    squared: NDArray[np.int64] = (
        ((512 + mean) * red**2 >> 8) + 4 * green**2 + ((767 - mean) * blue**2 >> 8)
    )
    return squared


def readable_on(color: Color) -> Color:
    """Black or white, whichever has the higher contrast to `color` by WCAG 2."""
    light = luminance(color)
    return BLACK if (light + 0.05) ** 2 > 1.05 * 0.05 else WHITE


def luminance(color: Color) -> float:
    """WCAG 2's relative luminance, from 0 to 1."""
    shares = np.array(color) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
