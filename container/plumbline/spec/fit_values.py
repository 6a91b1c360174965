"""`[preprocess] fit`: a name, or a crop with its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plumbline.spec.checks import Check, fraction, one_of, whole, wrong
from plumbline.vision.crops import NAMED, CentralCrop, ShorterSide
from plumbline.vision.fit import Fit


def fit(key: str, value: Any) -> str | Fit:
    """A check for a name, or a table with the number that a crop needs."""
    if not isinstance(value, dict):
        return one_of(*NAMED)(key, value)  # type: ignore[no-any-return]
    if len(value) != 1 or not value.keys() <= CROPS.keys():
        raise wrong(key, value, "{shorter_side = 256} or {central_crop = 0.875}, say, or a name")
    (name,) = value
    kind, check = CROPS[name]
    amount = check(f"{key}.{name}", value[name])
    if not amount:
        raise wrong(f"{key}.{name}", value[name], "more than 0")
    return kind(amount)


CROPS: Mapping[str, tuple[Callable[[Any], Fit], Check]] = {
    "shorter_side": (ShorterSide, whole(1, 100_000)),
    "central_crop": (CentralCrop, fraction),
}
"""The keys of `fit = {…}`."""
