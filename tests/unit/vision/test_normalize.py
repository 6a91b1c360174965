"""Normalizations, by their definition; the libraries' own are in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.vision.normalize import NORMALIZATIONS, Normalization, rescaling

LEVELS = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_gives_a_new_float32_array(name: str) -> None:
    for pixels in (LEVELS, LEVELS.astype(np.float32)):
        values = NORMALIZATIONS[name](pixels)
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        assert not np.shares_memory(values, pixels)


def test_unit_is_the_notebooks_division() -> None:
    """`images / 255` is float64 in NumPy, and rounded once when Keras takes it."""
    np.testing.assert_array_equal(NORMALIZATIONS["unit"](LEVELS), (LEVELS / 255).astype("float32"))


def test_unit_is_not_rescaling() -> None:
    """Multiplying by the reciprocal is off by one unit in the last place for half the levels."""
    unit, multiplied = NORMALIZATIONS["unit"](LEVELS), rescaling(1 / 255)(LEVELS)
    assert len(np.unique(LEVELS[unit != multiplied])) == 126
    assert np.abs(unit - multiplied).max() == np.float32(2**-24)


def test_channels_are_reversed_before_the_mean() -> None:
    blue = Normalization(mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 2.0), reverse=True)
    pixels = np.array([[[10, 20, 30]]], np.uint8)
    assert blue(pixels).tolist() == [[[29, 18, 3.5]]]


def test_tf_spans_minus_one_to_one() -> None:
    values = NORMALIZATIONS["tf"](LEVELS)
    assert (values.min(), values.max()) == (-1.0, 1.0)


def test_none_leaves_the_levels_alone() -> None:
    np.testing.assert_array_equal(NORMALIZATIONS["none"](LEVELS), LEVELS)


def test_the_steps_follow_each_other() -> None:
    table = Normalization(divisor=10, scale=3, mean=(1.0,), std=(2.0,))
    assert table(np.array([[[50]]], np.uint8)).tolist() == [[[7.0]]]
