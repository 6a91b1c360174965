"""How far two results are apart, over many pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Tally:
    """The largest difference, and how many of the values differ at all."""

    largest: float = 0.0
    differing: int = 0
    values: int = 0

    def add(self, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
        """Count one picture. Raises `TypeError` where the two can't be compared."""
        if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            raise TypeError(f"{ours.dtype}{ours.shape} is not {theirs.dtype}{theirs.shape}")
        difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        self.largest = max(self.largest, float(difference.max()))
        self.differing += int(np.count_nonzero(difference))
        self.values += difference.size

    @property
    def share(self) -> float:
        """The share of the values that differ."""
        return self.differing / self.values


def compared(ours: NDArray[Any], theirs: NDArray[Any]) -> Tally:
    """The tally of one picture."""
    tally = Tally()
    tally.add(ours, theirs)
    return tally
