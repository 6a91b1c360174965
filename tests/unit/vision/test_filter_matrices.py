"""The stacked products against the plain sums that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.vision.filter_matrices import blend_columns, blend_rows
from plumbline.vision.filter_taps import (
    Taps,
    opencv_cubic,
    pillow_taps,
    tensorflow_antialias,
    tensorflow_bilinear,
)
from strategies import channels, lengths, nasty

TABLES = {
    "bilinear": tensorflow_bilinear,
    "antialias": tensorflow_antialias,
    "cubic": opencv_cubic,
    "lanczos": pillow_taps["lanczos"],
}


def plain(samples: np.ndarray, taps: Taps) -> np.ndarray:
    """Weigh the first axis in float64."""
    total: np.ndarray = np.einsum("tkn,tk->tn", samples[taps.places].astype(float), taps.weights)
    return total


def bound(taps: Taps) -> float:
    """The error that float32 may make in sums of bytes."""
    largest = 255 * float(np.abs(taps.weights).sum(axis=1).max())
    return float(largest * (taps.weights.shape[1] + 1) * np.finfo(np.float32).eps / 2)


@pytest.mark.parametrize("name", TABLES)
@nasty
@given(source=st.one_of(lengths, st.integers(500, 900)), target=lengths, seed=st.integers(0, 99))
def test_rows(name: str, source: int, target: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (source, 7), dtype=np.uint8)
    taps = TABLES[name](source, target)
    ours = blend_rows(pixels, target, TABLES[name])
    assert ours.dtype == np.float32
    assert np.abs(ours - plain(pixels, taps)).max() <= bound(taps)


@pytest.mark.parametrize("name", TABLES)
@nasty
@given(source=st.one_of(lengths, st.integers(500, 900)), target=lengths, count=channels)
def test_columns(name: str, source: int, target: int, count: int) -> None:
    pixels = np.random.default_rng(source).integers(0, 256, (5, source, count), dtype=np.uint8)
    taps = TABLES[name](source, target)
    ours = blend_columns(pixels.reshape(5, -1), target, count, TABLES[name])
    theirs = plain(pixels.swapaxes(0, 1).reshape(source, -1), taps).reshape(target, 5, count)
    assert np.abs(ours.reshape(5, target, count).swapaxes(0, 1) - theirs).max() <= bound(taps)


def test_rows_in_pieces_are_the_rows() -> None:
    """A picture wider than the cache is cut, and comes out the same."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 40_000), dtype=np.uint8)
    whole = blend_rows(pixels, 24, tensorflow_antialias)
    half = blend_rows(np.ascontiguousarray(pixels[:, :500]), 24, tensorflow_antialias)
    np.testing.assert_allclose(whole[:, :500], half, atol=1e-3)
