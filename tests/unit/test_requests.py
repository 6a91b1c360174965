"""Body + Content-Type → pictures or tensors; custom attributes → options."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import errors
from plumbline.requests import (
    READERS,
    Instances,
    Pictures,
    Request,
    fits,
    read,
    read_options,
    to_tensors,
)
from plumbline.signature import Signature, TensorSpec

FORM = 'Send {"instances": [...]}, each instance a tensor or {"b64": "<a picture in base64>"}.'
FLOATS = Signature((TensorSpec("image", (None, 2, 2), "float32"),), ())
BYTES = Signature((TensorSpec("image", (None, 2), "uint8"),), ())
TWO = Signature((TensorSpec("a", (None, 1), "float32"), TensorSpec("b", (None,), "int32")), ())


def json_request(document: Any) -> Request:
    return Request(json.dumps(document).encode(), "application/json")


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "image/png",
        "application/x-image",
        "application/octet-stream",
        "IMAGE/JPEG",
        " image/jpeg ; charset=binary",
    ],
)
def test_a_picture_is_its_bytes(content_type: str) -> None:
    assert read(Request(b"bytes", content_type)) == Pictures((b"bytes",))


def test_json_rows_stay_as_they_are() -> None:
    assert read(json_request({"instances": [[1, 2]]})) == Instances([[1, 2]])


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_base64_brings_the_very_bytes(pictures: list[bytes]) -> None:
    rows = [{"b64": base64.b64encode(data).decode()} for data in pictures]
    assert read(json_request({"instances": rows})) == Pictures(tuple(pictures))


def test_a_missing_content_type_is_refused() -> None:
    with pytest.raises(errors.UnsupportedContentType) as caught:
        read(Request(b"bytes", ""))
    assert caught.value.message == (
        f"There is no Content-Type header; send one of {', '.join(READERS)}."
    )


def test_an_unknown_content_type_is_refused() -> None:
    with pytest.raises(errors.UnsupportedContentType) as caught:
        read(Request(b"bytes", "text/html; charset=utf-8"))
    assert caught.value.message == (
        f"Content-Type 'text/html' is not read here; send one of {', '.join(READERS)}."
    )


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/json"])
def test_an_empty_body_is_refused(content_type: str) -> None:
    with pytest.raises(errors.EmptyBody) as caught:
        read(Request(b"", content_type))
    assert caught.value.message == "The body is empty; send a picture, or JSON with instances."


@pytest.mark.parametrize(
    "body", [b"{", b"{'instances': []}", b'{"instances": [NaN]}', b"\xff", b"[" * 100_000]
)
def test_what_is_not_json_is_refused_with_the_form(body: bytes) -> None:
    with pytest.raises(errors.InvalidJSON) as caught:
        read(Request(body, "application/json"))
    assert caught.value.message.startswith("The body is not valid JSON: ")
    assert caught.value.message.endswith(FORM)


@pytest.mark.parametrize(
    "document",
    [{}, [], [[1]], 1, "x", None, {"instances": []}, {"instances": {}}, {"inputs": [1]}],
)
def test_json_of_another_form_is_refused_with_the_form(document: Any) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        read(json_request(document))
    assert caught.value.message == f"The JSON has no list of instances. {FORM}"


@pytest.mark.parametrize("row", [{"b64": "***"}, {"b64": 1}, {"b64": "abc"}, {}, [1], "abc"])
def test_bad_base64_is_refused_by_its_number(row: Any) -> None:
    good = {"b64": base64.b64encode(b"picture").decode()}
    with pytest.raises(errors.InvalidInstances) as caught:
        read(json_request({"instances": [good, row]}))
    assert caught.value.message == (
        'Instance 1 is not {"b64": "<a picture in base64>"}, as instance 0 is.'
    )


def test_rows_become_one_batch() -> None:
    batch = to_tensors([[[1, 2], [3, 4.5]]], FLOATS)["image"]
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, np.array([[[1, 2], [3, 4.5]]], np.float32))


def test_named_rows_become_a_batch_for_each_input() -> None:
    batches = to_tensors([{"a": [0.5], "b": 1}, {"b": 2, "a": [1.5]}], TWO)
    np.testing.assert_array_equal(batches["a"], np.array([[0.5], [1.5]], np.float32))
    np.testing.assert_array_equal(batches["b"], np.array([1, 2], np.int32))


@pytest.mark.parametrize("row", [{"a": [1]}, {"a": [1], "b": 1, "c": 1}, [1], 5])
def test_rows_with_other_names_than_the_inputs_are_refused(row: Any) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        to_tensors([{"a": [1], "b": 1}, row], TWO)
    assert caught.value.message == (
        "Instance 1 must be an object with exactly the model's inputs: a, b."
    )


@pytest.mark.parametrize("rows", [[[[1, 2], [3]]], [[[1, 2], 3]]])
def test_ragged_rows_are_refused(rows: list[Any]) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        to_tensors(rows, FLOATS)
    assert caught.value.message == (
        "The instances are ragged; all must have the shape of the model's input "
        "image: float32 [?, 2, 2]."
    )


@pytest.mark.parametrize("rows", [[1], [[1, 2]], [[[1, 2, 3], [4, 5, 6]]], [[[]]]])
def test_another_shape_is_refused_with_both_shapes(rows: list[Any]) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        to_tensors(rows, FLOATS)
    assert caught.value.message == (
        f"The instances have the shape {list(np.shape(rows))}, the first axis being their "
        "number; the model's input is image: float32 [?, 2, 2]."
    )


@pytest.mark.parametrize(
    ("rows", "signature"),
    [
        ([[["a", "b"], ["c", "d"]]], FLOATS),
        ([[[None, 1], [1, 1]]], FLOATS),
        ([[[{}, 1], [1, 1]]], FLOATS),
        ([[0.5, 1]], BYTES),
    ],
)
def test_values_of_another_kind_are_refused(rows: list[Any], signature: Signature) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        to_tensors(rows, signature)
    assert caught.value.message == (
        f"The instances hold values that don't fit the input {signature.input()}."
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
        to_tensors(rows, signature)
    assert caught.value.message == (
        f"The instances hold values outside the range of the input {signature.input()}."
    )


@given(st.lists(st.integers(0, 5), max_size=4), st.data())
def test_a_shape_fits_itself_with_any_axis_left_open(shape: list[int], data: st.DataObject) -> None:
    hidden = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    declared = tuple(None if hide else length for hide, length in zip(hidden, shape, strict=True))
    assert fits(tuple(shape), declared) is True
    assert fits((*shape, 1), declared) is False


@given(st.integers(1, 1000), st.lists(st.sampled_from(["trace=abc", "x", "", "a=b=c", "top=7"])))
def test_options_are_found_among_whatever_else_is_there(top_k: int, others: list[str]) -> None:
    assert read_options(",".join([*others, f" top_k = {top_k} "])) == {"top_k": top_k}


@given(st.text("abc=,; 019", max_size=40))
def test_attributes_that_mean_nothing_here_are_left_alone(text: str) -> None:
    assert read_options(text) == {}


@pytest.mark.parametrize(
    "value", ["0", "1001", "-1", "1.5", "five", "", "1e2", "²", pytest.param("9" * 5000, id="long")]
)
def test_an_option_it_can_not_use_is_refused(value: str) -> None:
    with pytest.raises(errors.InvalidAttribute) as caught:
        read_options(f"top_k={value}")
    assert caught.value.message == f"top_k={value}: it must be a whole number from 1 to 1000."
