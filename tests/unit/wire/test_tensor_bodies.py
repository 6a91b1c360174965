"""Tensors in TF Serving's forms, as arrays and as lines of numbers → the model's inputs."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import errors
from plumbline.signature import Signature, TensorSpec
from plumbline.wire.tensor_bodies import Array, Inputs, Instances, fits
from strategies import nasty

FLOATS = Signature((TensorSpec("image", (None, 2, 2), "float32"),), ())
BYTES = Signature((TensorSpec("image", (None, 2), "uint8"),), ())
TWO = Signature((TensorSpec("a", (None, 1), "float32"), TensorSpec("b", (None,), "int32")), ())
STRINGS = Signature((TensorSpec("text", (None,), "string"),), ())


def test_rows_become_one_batch() -> None:
    batch = Instances([[[1, 2], [3, 4.5]]]).tensors(FLOATS)["image"]
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, np.array([[[1, 2], [3, 4.5]]], np.float32))


def test_named_rows_become_a_batch_for_each_input() -> None:
    batches = Instances([{"a": [0.5], "b": 1}, {"b": 2, "a": [1.5]}]).tensors(TWO)
    np.testing.assert_array_equal(batches["a"], np.array([[0.5], [1.5]], np.float32))
    np.testing.assert_array_equal(batches["b"], np.array([1, 2], np.int32))


@pytest.mark.parametrize("row", [{"a": [1]}, {"a": [1], "b": 1, "c": 1}, [1], 5])
def test_rows_with_other_names_than_the_inputs_are_refused(row: Any) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Instances([{"a": [1], "b": 1}, row]).tensors(TWO)
    strange = isinstance(row, dict) and "c" in row
    assert caught.value.message == (
        ("Failed to process element: 1 key: c of 'instances' list. " if strange else "")
        + "Instance 1 must be an object with exactly the model's inputs: a, b."
    )


@pytest.mark.parametrize("rows", [[[[1, 2], [3]]], [[[1, 2], 3]]])
def test_ragged_rows_are_refused(rows: list[Any]) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Instances(rows).tensors(FLOATS)
    assert caught.value.message == (
        "The instances are ragged; all must have the shape of the model's input "
        "image: float32 [?, 2, 2]."
    )


@pytest.mark.parametrize("rows", [[1], [[1, 2]], [[[1, 2, 3], [4, 5, 6]]], [[[]]]])
def test_another_shape_is_refused_with_both_shapes(rows: list[Any]) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Instances(rows).tensors(FLOATS)
    assert caught.value.message == (
        f"The instances have the shape {list(np.shape(rows))}, the first axis being their "
        "number; the model's input is image: float32 [?, 2, 2]."
    )


@pytest.mark.parametrize(
    ("rows", "signature", "wanted"),
    [
        ([[["a", "b"], ["c", "d"]]], FLOATS, "numbers"),
        ([[[None, 1], [1, 1]]], FLOATS, "numbers"),
        ([[[{}, 1], [1, 1]]], FLOATS, "numbers"),
        ([[0.5, 1]], BYTES, "whole numbers"),
    ],
)
def test_values_of_another_kind_are_refused(
    rows: list[Any], signature: Signature, wanted: str
) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Instances(rows).tensors(signature)
    assert caught.value.message == (
        f"The instances hold values that don't fit the input {signature.input()}; send {wanted}."
    )


@pytest.mark.parametrize(
    ("rows", "signature"),
    [
        ([[256, 0]], BYTES),
        ([[-1, 0]], BYTES),
        ([[2**40, 0]], BYTES),
        ([[[1e39, 0], [0, 0]]], FLOATS),
        ([[[-1e300, 0], [0, 0]]], FLOATS),
    ],
)
def test_values_that_would_wrap_or_overflow_are_refused(
    rows: list[Any], signature: Signature
) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Instances(rows).tensors(signature)
    assert caught.value.message == (
        f"The instances hold values outside the range of the input {signature.input()}; send "
        f"numbers that {signature.input().dtype} has."
    )


@nasty
@given(st.lists(st.integers(0, 5), max_size=4), st.data())
def test_a_shape_fits_itself_with_any_axis_left_open(shape: list[int], data: st.DataObject) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    declared = tuple(None if hide else length for hide, length in zip(hidden, shape, strict=True))
    assert fits(tuple(shape), declared) is True
    assert fits((*shape, 1), declared) is False


def test_the_only_input_may_be_named() -> None:
    named = Instances([{"image": [[1, 2], [3, 4]]}]).tensors(FLOATS)
    np.testing.assert_array_equal(named["image"], [[[1, 2], [3, 4]]])


def test_several_inputs_must_be_named() -> None:
    for given_ in (Instances([[1]]), Inputs([[1]]), Array(np.ones((1, 1)))):
        with pytest.raises(
            errors.InvalidInstances, match=r"The model has 2 inputs; give each .* a, b"
        ):
            given_.tensors(TWO)


def test_columns_are_a_batch_for_each_input() -> None:
    batches = Inputs({"a": [[0.5], [1.5]], "b": [1, 2]}).tensors(TWO)
    np.testing.assert_array_equal(batches["a"], np.array([[0.5], [1.5]], np.float32))
    np.testing.assert_array_equal(batches["b"], np.array([1, 2], np.int32))


@pytest.mark.parametrize("value", [[[[1, 2], [3, 4]]], {"image": [[[1, 2], [3, 4]]]}])
def test_the_only_column_may_be_named_or_not(value: Any) -> None:
    np.testing.assert_array_equal(Inputs(value).tensors(FLOATS)["image"], [[[1, 2], [3, 4]]])


@pytest.mark.parametrize("value", [{"a": [[1]]}, {"a": [[1]], "b": [1], "c": [1]}, {}])
def test_columns_with_other_names_than_the_inputs_are_refused(value: Any) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Inputs(value).tensors(TWO)
    assert caught.value.message == (
        '"inputs" must be an object with exactly the model\'s inputs: a, b.'
    )


@pytest.mark.parametrize("form", [Instances, Inputs])
def test_texts_and_base64_are_strings(form: Any) -> None:
    encoded = {"b64": base64.b64encode(b"\xff\x00").decode()}
    assert form(["cat", encoded]).tensors(STRINGS)["text"].tolist() == [b"cat", b"\xff\x00"]


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "u1", "?"])
def test_an_array_is_a_batch_of_the_inputs_dtype(dtype: str) -> None:
    values = np.array([[[1, 0], [1, 1]]]).astype(dtype)
    batch = Array(values).tensors(FLOATS)["image"]
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, [[[1, 0], [1, 1]]])


def test_an_array_without_the_batch_axis_is_one_instance() -> None:
    assert Array(np.ones((2, 2))).tensors(FLOATS)["image"].shape == (1, 2, 2)


def test_lines_of_numbers_take_the_inputs_shape() -> None:
    batch = Array(np.arange(8.0).reshape(2, 4), flat=True).tensors(FLOATS)["image"]
    np.testing.assert_array_equal(batch, np.arange(8).reshape(2, 2, 2))


def test_lines_of_another_length_are_refused_with_both() -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        Array(np.ones((2, 5)), flat=True).tensors(FLOATS)
    assert caught.value.message == (
        "The lines have 5 numbers, but the model's input is image: float32 [?, 2, 2]: "
        "a line must have as many as one instance of it."
    )


@pytest.mark.parametrize(
    ("declared", "numbers", "shape"),
    [
        ((None, None), 3, (2, 3)),
        ((None, None, 2), 6, (2, 3, 2)),
        ((4, 3, None), 3, (2, 3, 1)),
        ((None, None, 2), 5, None),
        ((None, None, None), 4, None),
        ((None, 2, 0, None), 4, None),
    ],
)
def test_an_axis_of_any_length_is_as_long_as_the_lines_make_it(
    declared: tuple[int | None, ...], numbers: int, shape: tuple[int, ...] | None
) -> None:
    spec = TensorSpec("x", (None, *declared[1:]), "float32")
    lines = Array(np.ones((2, numbers)), flat=True)
    if shape:
        assert lines.tensors(Signature((spec,), ()))["x"].shape == shape
    else:
        with pytest.raises(errors.InvalidInstances, match=f"The lines have {numbers} numbers"):
            lines.tensors(Signature((spec,), ()))
