"""How far shares have moved: the population stability index, and how far they do by chance alone.

PSI is the sum over bins of (now - then) · ln(now / then); 0.1 and 0.25 are the customary marks.
Between samples of n and m of the same thing it is spread about as χ² of (bins - 1) degrees of
freedom, times (1/n + 1/m): B. Yurdakul, "Statistical Properties of Population Stability Index",
2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MODERATE, LARGE = 0.1, 0.25

Z_99 = 2.3263478740408408
"""99 of 100 of a normal distribution lie below so many standard deviations."""


@dataclass(frozen=True)
class Moved:
    """How far one quantity has moved; `chance` is what 99 of 100 such samples stay below."""

    index: float
    chance: float

    @property
    def verdict(self) -> str:
        """In a word or two; what chance may have done counts for nothing."""
        if self.index < MODERATE:
            return "stable"
        if self.index < self.chance:
            return "within chance"
        return "moved" if self.index < LARGE else "moved far"


def moved(then: Sequence[float], now: Sequence[float], pictures: tuple[int, int]) -> Moved:
    """Between two lists of shares or weights of the same bins, of so many pictures then and now.

    Half a picture is added to each bin, as an empty one would make the index infinite.
    """
    before, after = pictures
    bins = len(then)
    index = sum(
        (b - a) * math.log(b / a)
        for a, b in zip(smoothed(then, before), smoothed(now, after), strict=True)
    )
    chance = (1 / before + 1 / after) * chi_squared_99(max(1, bins - 1))
    return Moved(index, chance)


def smoothed(weights: Sequence[float], pictures: int) -> list[float]:
    """Shares of which none is 0."""
    whole = sum(weights) or 1.0
    room = pictures + 0.5 * len(weights)
    return [(weight / whole * pictures + 0.5) / room for weight in weights]


def chi_squared_99(freedom: int) -> float:
    """What 99 of 100 values of χ² are below, to about a percent (Wilson and Hilferty, 1931)."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + Z_99 * math.sqrt(part)) ** 3)
