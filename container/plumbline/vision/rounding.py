"""float32 sums to bytes, rounded as a library that computes in integers rounds them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plumbline.vision.filter_matrices import Float
from plumbline.vision.filter_taps import Taps

Bytes = NDArray[np.uint8]
Indices = NDArray[np.intp]
Exact = Callable[[Indices, Indices], Float]

EPSILON = float(np.finfo(np.float32).eps)


def to_bytes(values: Float) -> Bytes:
    """Round to the nearest byte, halves to even, as `saturate_cast<uchar>` does."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def settle(values: Float, doubt: float, exact: Exact) -> Bytes:
    """Round `[h, n]` sums that are off by at most `doubt`; `exact` decides those near a half."""
    rounded = np.rint(values)
    distance = np.abs(np.subtract(values, rounded, out=values), out=values)
    row, column = np.divmod(np.flatnonzero(distance > 0.5 - doubt), values.shape[1])
    rounded[row, column] = exact(row, column)
    return np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)


def doubt(taps: Taps) -> float:
    """Bound float32's error in a sum of bytes, whatever order BLAS adds in."""
    terms = taps.weights.shape[1]
    heaviest = float(np.abs(taps.weights).sum(axis=1).max())
    return float(255 * heaviest * (terms + 1) * EPSILON / 2)
