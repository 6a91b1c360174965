"""Numbers → places on an axis, and its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

SPREAD = 1000.0
"""Where the largest value is so many times the smallest, an axis is logarithmic."""

SMALLEST, LARGEST = 1e-100, 1e100
"""What is nearer to 0 is drawn as 0; what is farther from it isn't drawn, as with infinity."""


@dataclass(frozen=True)
class Axis:
    """From value `low` to `high`, at `ticks`; logarithmic if it says so."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value lies, from 0 to 1."""
        low, high = self.scaled(self.low), self.scaled(self.high)
        return (self.scaled(value) - low) / (high - low)

    def scaled(self, value: float) -> float:
        """The value, or its logarithm."""
        return math.log10(value) if self.logarithmic else value


def axis_for(values: Iterable[float], ticks: int = 5) -> Axis | None:
    """An axis with about so many ticks for all that is a number; none if nothing is."""
    finite = [value for value in values if abs(value) < LARGEST]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    if low > SMALLEST and high / low >= SPREAD:
        return logarithmic(low, high, ticks)
    return linear(low, high, ticks)


def linear(low: float, high: float, ticks: int) -> Axis:
    """An axis whose ends are ticks."""
    if high - low <= max(SMALLEST, 1e-9 * abs(high)):
        low, high = min(0.0, low), max(0.0, high)
    if high - low <= SMALLEST:
        high = low + 1
    step = step_for((high - low) / ticks)
    first, last = math.floor(low / step), math.ceil(high / step)
    places = tuple(number * step for number in range(first, last + 1))
    return Axis(places[0], places[-1], places)


def step_for(least: float) -> float:
    """A round step that is not smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((each * power for each in STEPS if each * power >= least), 10 * power)


def logarithmic(low: float, high: float, ticks: int) -> Axis:
    """An axis from one power of ten to another."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((last - first) / ticks))
    powers = tuple(10.0**power for power in range(first, last + 1, every))
    return Axis(10.0**first, 10.0**last, powers, logarithmic=True)


def epoch_axis(epochs: int, ticks: int = 6) -> Axis:
    """An axis of epochs, counted from 1."""
    step = max(1, math.ceil(step_for((epochs - 1) / ticks))) if epochs > 1 else 1
    places = [float(place) for place in range(step, epochs + 1, step)]
    if step > 1:
        places = [1.0, *places]
    return Axis(1.0, float(epochs), tuple(places)) if epochs > 1 else Axis(0.5, 1.5, (1.0,))


def written(value: float) -> str:
    """A tick's value, short."""
    return f"{value:.6g}" if value == 0 or 1e-4 <= abs(value) < 1e6 else f"{value:.0e}"
