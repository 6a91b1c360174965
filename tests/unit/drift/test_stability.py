"""The population stability index, against SciPy's entropies and its χ², and against chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from plumbline.drift.stability import chi_squared_99, moved, smoothed


def test_it_is_the_sum_of_both_relative_entropies() -> None:
    then, now = [0.2, 0.5, 0.3], [0.4, 0.4, 0.2]

    found = moved(then, now, (1000, 500))

    before, after = smoothed(then, 1000), smoothed(now, 500)
    assert found.index == pytest.approx(stats.entropy(before, after) + stats.entropy(after, before))
    assert sum(before) == pytest.approx(1)


def test_the_same_shares_have_not_moved() -> None:
    assert moved([0.2, 0.8], [0.2, 0.8], (100, 100)).index == pytest.approx(0, abs=1e-12)
    assert moved([1, 4], [3, 12], (100, 100)).index == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 20])
def test_chance_is_measured_by_chi_squared(freedom: int) -> None:
    assert chi_squared_99(freedom) == pytest.approx(stats.chi2.ppf(0.99, freedom), rel=0.025)


def test_of_samples_of_the_same_thing_hardly_one_is_beyond_chance() -> None:
    draw, shares = np.random.default_rng(1), [0.1] * 10
    found = [
        moved(draw.multinomial(300, shares), draw.multinomial(1000, shares), (300, 1000))
        for _ in range(500)
    ]

    assert sum(one.index > one.chance for one in found) <= 15, "of 500, where 5 are expected"


def test_what_is_no_more_than_chance_is_said_to_be_so() -> None:
    assert moved([0.5, 0.5], [0.5, 0.5], (1000, 1000)).verdict == "stable"
    assert moved([0.5, 0.5], [0.7, 0.3], (10, 10)).verdict == "within chance"
    assert moved([0.5, 0.5], [0.7, 0.3], (1000, 1000)).verdict == "moved"
    assert moved([0.5, 0.5], [0.9, 0.1], (1000, 1000)).verdict == "moved far"


def test_nothing_captured_is_not_infinitely_far() -> None:
    assert np.isfinite(moved([1.0, 0.0], [0.0, 0.0], (1, 1)).index)
