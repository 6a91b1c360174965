"""In which order the pictures of an epoch are seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The numbers below `count`, `[count]`, shuffled: the same for a seed and an epoch, always.

    It depends on nothing that came before, so that a job that goes on in the middle of an epoch
    sees what it would have seen.
    """
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(count)
