"""Expected, actual, tolerance → how far apart they are.

A float32 has seven digits, whatever its size: where values are beyond one (logits, pixels'
coordinates), a difference counts as a share of the largest of them. Otherwise nothing but the very
CPU that training ran on would reproduce them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plumbline.vision.arrays import Tensor


@dataclass(frozen=True)
class Difference:
    """How far one output lies from what was expected of it."""

    output: str
    largest: float
    """The largest |difference| of any value, in units of `scale`; infinite where there is none."""
    reason: str
    """The same in words."""
    scale: float = 1.0
    """What the values reach where that difference is, if it is more than one."""

    def within(self, tolerance: float) -> bool:
        """Whether the difference is allowed."""
        return self.largest <= tolerance

    def allowed(self, tolerance: float) -> str:
        """The most that would be allowed here, in words."""
        if self.scale == 1:
            return f"{tolerance:g}"
        return f"{tolerance * self.scale:.3g} ({tolerance:g} of {self.scale:.3g})"


def compare(expected: Mapping[str, Tensor], actual: Mapping[str, Tensor]) -> Difference:
    """The worst difference between the expected outputs of a picture and the actual ones.

    A single expected output is compared with a single actual one whatever their names: the
    user's own prediction function has no name for what it returns.
    """
    if len(expected) == len(actual) == 1:
        (name, wanted), given = *expected.items(), next(iter(actual.values()))
        return difference(name, wanted, given)
    missing = sorted(set(expected) - set(actual))
    if missing:
        return Difference(
            missing[0], float("inf"), f"the model gives {', '.join(actual)} and not {missing[0]}"
        )
    return max(
        (difference(name, wanted, actual[name]) for name, wanted in expected.items()),
        key=lambda found: found.largest,
    )


def difference(name: str, expected: Tensor, actual: Tensor) -> Difference:
    """The largest |difference| between two tensors; leading axes of length 1 don't count.

    Values beyond one are measured by what their column, the last axis, reaches.
    """
    wanted, given = trimmed(expected), trimmed(actual)
    if not wanted.size and not given.size:
        return Difference(name, 0.0, "both are empty")
    if wanted.shape != given.shape:
        return Difference(
            name, float("inf"), f"its shape is {list(given.shape)}, expected {list(wanted.shape)}"
        )
    with np.errstate(invalid="ignore"):  # two infinities have no difference
        gap = np.abs(np.subtract(wanted, given, dtype=np.float64))
    same = (wanted == given) | (np.isnan(wanted) & np.isnan(given))
    gap = np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))
    scale = np.broadcast_to(reach(wanted), gap.shape)
    worst = np.unravel_index(np.argmax(gap / scale), gap.shape)
    largest, unit = float(gap[worst]), float(scale[worst])
    return Difference(name, largest / unit, f"the largest difference is {largest:.3g}", unit)


def reach(tensor: Tensor) -> Tensor:
    """What the values of each column reach, and one at least; whole numbers are exact."""
    if tensor.dtype.kind != "f":
        return np.ones(())
    sizes = np.where(np.isfinite(tensor), np.abs(tensor), 0).astype(np.float64)
    columns = tuple(range(tensor.ndim - 1)) if tensor.ndim > 1 else None
    return np.asarray(np.maximum(1.0, sizes.max(axis=columns)))


def mismatch(found: Mapping[str, Difference], tolerance: float, cause: str) -> str:
    """What is wrong with golden pictures, by name; one at least is not within the tolerance."""
    wrong = sum(not difference.within(tolerance) for difference in found.values())
    name, worst = max(found.items(), key=lambda item: item[1].largest)
    return (
        f"{wrong} of {len(found)} golden pictures come out wrong. The worst is {name}: in "
        f"{worst.output}, {worst.reason}, and {worst.allowed(tolerance)} is allowed. {cause}"
    )


def trimmed(tensor: Tensor) -> Tensor:
    """The tensor without leading axes of length 1."""
    while tensor.ndim and tensor.shape[0] == 1:
        tensor = tensor[0]
    return np.asarray(tensor)
