"""Expected, actual, tolerance → how far apart they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plumbline.arrays import Tensor


@dataclass(frozen=True)
class Difference:
    """How far one output lies from what was expected of it."""

    output: str
    largest: float
    """The largest |difference| of any value; infinite where the two can't be compared."""
    reason: str
    """The same in words."""

    def within(self, tolerance: float) -> bool:
        """Whether the difference is allowed."""
        return self.largest <= tolerance


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
    """The largest |difference| between two tensors; leading axes of length 1 don't count."""
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
    largest = float(gap.max(initial=0))
    return Difference(name, largest, f"the largest difference is {largest:.3g}")


def mismatch(found: Mapping[str, Difference], tolerance: float, cause: str) -> str:
    """What is wrong with golden pictures, by name; one at least is not within the tolerance."""
    wrong = sum(not difference.within(tolerance) for difference in found.values())
    name, worst = max(found.items(), key=lambda item: item[1].largest)
    return (
        f"{wrong} of {len(found)} golden pictures come out wrong. The worst is {name}: in "
        f"{worst.output}, {worst.reason}, and {tolerance:g} is allowed. {cause}"
    )


def trimmed(tensor: Tensor) -> Tensor:
    """The tensor without leading axes of length 1."""
    while tensor.ndim and tensor.shape[0] == 1:
        tensor = tensor[0]
    return np.asarray(tensor)
