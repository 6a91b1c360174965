"""Every table of taps, whatever the lengths: inside the source, weights that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from plumbline.vision import filter_taps
from strategies import lengths, nasty

AVERAGES = {
    "tensorflow_bilinear": filter_taps.tensorflow_bilinear,
    "tensorflow_bicubic": filter_taps.tensorflow_bicubic,
    "tensorflow_antialias": filter_taps.tensorflow_antialias,
    "tensorflow_area": filter_taps.tensorflow_area,
    "opencv_linear": filter_taps.opencv_linear,
    "opencv_cubic": filter_taps.opencv_cubic,
    **{f"pillow_{name}": of for name, of in filter_taps.pillow_taps.items()},
}


@pytest.mark.parametrize("name", AVERAGES)
@nasty
@given(source=lengths, target=lengths)
def test_weights_add_up_to_one(name: str, source: int, target: int) -> None:
    places, weights = AVERAGES[name](source, target)
    assert places.shape == weights.shape
    assert len(places) == target
    assert 0 <= places.min() <= places.max() < source
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-4)


@nasty
@given(source=lengths, target=lengths)
def test_opencv_area_adds_up_where_it_shrinks(source: int, target: int) -> None:
    small, large = sorted((source, target))
    places, weights = filter_taps.opencv_area(large, small)
    assert 0 <= places.min() <= places.max() < large
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-2)


def test_opencv_misses_some_whole_factors() -> None:
    """49 / 1 by way of 1 / 49 is not 49, and OpenCV then takes its slower path."""
    missed = [n for n in range(1, 200) if filter_taps.opencv_factor(n, 1) is None]
    assert missed == [n for n in range(1, 200) if 1 / (1 / n) != n]
    assert 49 in missed


def test_pillow_answers_one_at_the_centre_of_hamming() -> None:
    """The two C floats of the window add up to more than one."""
    assert sum(filter_taps.HAMMING) > 1
    centre = filter_taps.pillow_taps["hamming"](480, 224).weights[3]
    assert (centre * 2**22).tolist() == [14792, 924116, 2316488, 924116, 14792]
