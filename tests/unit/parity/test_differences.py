"""How far outputs lie from what was expected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.parity.differences import compare, difference

INFINITE = float("inf")
TENSORS = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, width=32)
)


@given(TENSORS)
def test_a_tensor_does_not_differ_from_itself(tensor: np.ndarray) -> None:
    assert difference("scores", tensor, tensor.copy()).largest == 0.0


PROBABILITIES = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1, 1, width=32)
)


@given(PROBABILITIES, st.floats(-100, 100, width=32))
def test_of_values_up_to_one_the_difference_is_numpys(tensor: np.ndarray, shift: float) -> None:
    moved = tensor.copy()
    moved.flat[0] += shift
    expected = float(np.max(np.abs(tensor.astype(np.float64) - moved.astype(np.float64))))
    found = difference("scores", tensor, moved)
    assert (found.largest, found.scale) == (expected, 1.0)


@given(PROBABILITIES, st.floats(-1, 1, width=32), st.integers(0, 20))
def test_larger_values_may_differ_as_much_more_as_they_are_larger(
    tensor: np.ndarray, shift: float, doublings: int
) -> None:
    tensor.flat[-1], factor = 1.0, np.float32(2.0**doublings)  # which no rounding disturbs
    moved = tensor.copy()
    moved.flat[-1] += shift
    small = difference("scores", tensor, moved)
    large = difference("scores", tensor * factor, moved * factor)
    assert large.largest == small.largest


def test_each_column_counts_by_itself() -> None:
    """Coordinates in pixels let nobody off with other scores."""
    rows = np.array([[0.9, 10.0, 600.0], [0.1, 20.0, 300.0]])
    for column, expected in ((0, 0.6), (1, 0.03), (2, 0.001)):
        moved = rows.copy()
        moved[1, column] += 0.6
        assert difference("rows", rows, moved).largest == pytest.approx(expected)


def test_of_large_values_it_says_how_much_is_allowed() -> None:
    found = difference("boxes", np.array([[640.0, 3.0]]), np.array([[640.0625, 3.0]]))
    assert found.reason == "the largest difference is 0.0625"
    assert found.allowed(1e-5) == "0.0064 (1e-05 of 640)"
    assert difference("scores", np.array([0.5]), np.array([0.7])).allowed(1e-5) == "1e-05"


def test_whole_numbers_are_exact_however_large() -> None:
    found = difference("classes", np.array([1_000_000]), np.array([1_000_001]))
    assert (found.largest, found.scale) == (1.0, 1.0)


@given(TENSORS, st.integers(1, 3))
def test_leading_axes_of_length_one_do_not_count(tensor: np.ndarray, axes: int) -> None:
    assert difference("scores", tensor, tensor.reshape((1,) * axes + tensor.shape)).largest == 0.0


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_single_value_is_compared_like_any_other(shape: tuple[int, ...]) -> None:
    found = difference("score", np.full(shape, 0.5, np.float32), np.full((1, 1), 0.75, np.float32))
    assert found.largest == 0.25


def test_empty_tensors_do_not_differ() -> None:
    assert difference("boxes", np.zeros((0, 4)), np.zeros((0, 4))).largest == 0.0


def test_the_tolerance_itself_is_allowed() -> None:
    found = difference("scores", np.array([0.1, 0.2]), np.array([0.1, 0.7]))
    assert found.reason == "the largest difference is 0.5"
    assert found.within(0.5) is True
    assert found.within(0.499) is False


def test_other_shapes_differ_without_end() -> None:
    found = difference("scores", np.zeros((2, 3)), np.zeros((2, 4)))
    assert (found.largest, found.reason) == (INFINITE, "its shape is [2, 4], expected [2, 3]")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_finite_numbers_equal_only_themselves(value: float) -> None:
    odd, plain = np.array([1.0, value]), np.array([1.0, 2.0])
    assert difference("scores", odd, odd.copy()).largest == 0.0
    assert difference("scores", plain, odd).largest == INFINITE
    assert difference("scores", odd, plain).largest == INFINITE
    assert difference("scores", odd, np.array([1.5, value])).largest == 0.5


def test_whole_numbers_do_not_wrap_around() -> None:
    found = difference("classes", np.array([0, 7], np.uint8), np.array([255, 7], np.uint8))
    assert found.largest == 255.0


def test_single_outputs_are_compared_whatever_their_names() -> None:
    found = compare({"output": np.array([1.0])}, {"dense_2": np.array([3.0])})
    assert (found.output, found.largest) == ("output", 2.0)


def test_an_output_that_is_missing_is_named() -> None:
    found = compare({"boxes": np.zeros(1), "scores": np.zeros(1)}, {"boxes": np.zeros(1)})
    assert (found.output, found.largest) == ("scores", INFINITE)
    assert found.reason == "the model gives boxes and not scores"


def test_the_worst_output_counts() -> None:
    expected = {"a": np.zeros(2), "b": np.zeros(2)}
    found = compare(expected, {"a": np.full(2, 0.1), "b": np.array([0.0, 0.7]), "c": np.ones(9)})
    assert (found.output, found.largest) == ("b", 0.7)
