"""`[preprocess] normalize`: a name, or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.spec.checks import Check, divisor, number, one_of, per_channel, read_table
from plumbline.vision.normalize import NORMALIZATIONS, Normalization


def normalization(key: str, value: Any) -> str | Normalization:
    """A check for a name, or a table of numbers."""
    if isinstance(value, dict):
        return Normalization(**read_table(value, key, SCALING))
    return one_of(*NORMALIZATIONS)(key, value)  # type: ignore[no-any-return]


SCALING: Mapping[str, Check] = {
    "divisor": divisor,
    "scale": number,
    "mean": per_channel(number),
    "std": per_channel(divisor),
}
"""The keys of `normalize = {…}`: (x / divisor * scale - mean) / std."""
