"""Result + Accept → bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import NotAcceptable, PlumblineError
from plumbline.responses import encode, encode_error, negotiate, tensor_rows, to_json

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=3000)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*",
        "application/json",
        "APPLICATION/JSON; q=0.5",
        "image/png, application/json",
        "text/html, */*;q=0.1",
    ],
)
def test_json_is_what_is_answered_with(accept: str) -> None:
    assert negotiate(accept) == "application/json"


def test_an_accept_that_nothing_answers_is_refused() -> None:
    with pytest.raises(NotAcceptable) as caught:
        negotiate("image/png, text/csv")
    assert caught.value.message == (
        "Accept 'image/png, text/csv' can't be answered; ask for application/json."
    )


def test_an_answer_carries_its_type() -> None:
    response = encode({"predictions": []}, "application/json")
    assert (response.body, response.content_type) == (b'{"predictions":[]}', "application/json")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_floats_read_back_to_the_bit(values: list[float]) -> None:
    array = np.array(values, np.float32)
    np.testing.assert_array_equal(np.array(json.loads(to_json(array)), np.float32), array)


def test_float32_is_not_blown_up_to_float64() -> None:
    assert to_json([np.float32(0.1)]) == b"[0.1]"


def test_arrays_that_are_not_contiguous_and_bytes_are_taken() -> None:
    array = np.arange(6).reshape(2, 3).T
    assert to_json([array, b"caf\xc3\xa9\xff"]) == '[[[0,3],[1,4],[2,5]],"café\ufffd"]'.encode()


def test_a_value_of_another_kind_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        to_json({"x": object()})


def test_one_output_is_a_value_for_each_instance() -> None:
    assert to_json(tensor_rows({"scores": np.array([[1, 2], [3, 4]])})) == b"[[1,2],[3,4]]"


def test_several_outputs_are_an_object_for_each_instance() -> None:
    rows = tensor_rows({"a": np.array([1, 2]), "b": np.array([[3], [4]])})
    assert json.loads(to_json(rows)) == [{"a": 1, "b": [3]}, {"a": 2, "b": [4]}]


def test_an_error_is_its_code_and_its_message() -> None:
    assert json.loads(encode_error(NotAcceptable("No.")).body) == {
        "error": {"code": "not_acceptable", "message": "No."}
    }


@given(ANY_TEXT)
def test_an_error_arrives_whole_whatever_it_says(text: str) -> None:
    body = encode_error(PlumblineError(text)).body
    assert len(body) < 2048
    message = json.loads(body)["error"]["message"]
    assert message == text.encode(errors="replace").decode() or message.endswith(" …")


@pytest.mark.parametrize("character", ["x", '"', "\\", "\n", "\x00", "é", "字", "😀", "\udc80"])
def test_a_long_error_is_cut_to_what_sagemaker_passes_on(character: str) -> None:
    body = encode_error(PlumblineError(f"It is {character * 100_000}")).body
    message = json.loads(body)["error"]["message"]
    assert 1000 < len(body) < 2048
    assert message.startswith("It is ")
    assert message.endswith(" …")
