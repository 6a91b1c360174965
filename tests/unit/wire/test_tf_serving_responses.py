"""Outputs → the answer that TensorFlow Serving gives to tensors."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from plumbline.errors import InvalidInstances, NotAcceptable
from plumbline.vision.arrays import Tensors
from plumbline.wire.tf_serving_responses import encode

ONE = {"scores": np.array([[1, 2], [3, 4]], np.float32)}
TWO = {"a": np.array([1, 2]), "b": np.array([[3], [4]])}
TEXTS = {
    "label": np.array([b"cat", b"caf\xc3\xa9"], object),
    "image_bytes": np.array([b"\xff", b"\x00\x01"], object),
}


def answer(outputs: Tensors, *, by_columns: bool) -> Any:
    return json.loads(encode(outputs, "application/json", by_columns=by_columns).body)


def test_one_output_is_a_value_for_each_instance() -> None:
    assert answer(ONE, by_columns=False) == {"predictions": [[1, 2], [3, 4]]}
    assert answer(ONE, by_columns=True) == {"outputs": [[1, 2], [3, 4]]}


def test_several_outputs_are_objects() -> None:
    assert answer(TWO, by_columns=False) == {
        "predictions": [{"a": 1, "b": [3]}, {"a": 2, "b": [4]}]
    }
    assert answer(TWO, by_columns=True) == {"outputs": {"a": [1, 2], "b": [[3], [4]]}}


def test_texts_are_texts_and_what_is_called_bytes_comes_in_base64() -> None:
    assert answer(TEXTS, by_columns=False) == {
        "predictions": [
            {"label": "cat", "image_bytes": {"b64": "/w=="}},
            {"label": "café", "image_bytes": {"b64": "AAE="}},
        ]
    }
    assert answer({"image_bytes": TEXTS["image_bytes"]}, by_columns=True) == {
        "outputs": [{"b64": "/w=="}, {"b64": "AAE="}]
    }


def test_outputs_of_several_lengths_are_given_in_columns_only() -> None:
    outputs = {"a": np.array([1, 2]), "count": np.array([2])}
    assert answer(outputs, by_columns=True) == {"outputs": {"a": [1, 2], "count": [2]}}
    with pytest.raises(InvalidInstances, match="don't agree on the number of instances"):
        answer(outputs, by_columns=False)


def test_an_output_without_an_axis_for_instances_is_given_in_columns_only() -> None:
    outputs = {"loss": np.array(0.5, np.float32)}
    assert answer(outputs, by_columns=True) == {"outputs": 0.5}
    assert encode(outputs, "text/csv", by_columns=True).body == b"0.5\n"
    for media_type in ("application/json", "application/jsonlines"):
        with pytest.raises(InvalidInstances, match=r"send .*inputs.* instead of .*instances"):
            encode(outputs, media_type, by_columns=False)


def test_an_output_without_values_is_no_line() -> None:
    nothing = {"boxes": np.zeros((0, 4), np.float32)}
    assert encode(nothing, "text/csv", by_columns=False).body == b""
    assert encode(nothing, "application/jsonlines", by_columns=False).body == b""


def test_other_forms() -> None:
    assert encode(ONE, "application/jsonlines", by_columns=False).body == b"[1.0,2.0]\n[3.0,4.0]\n"
    assert encode(ONE, "text/csv", by_columns=False).body == b"1.0,2.0\n3.0,4.0\n"
    body = encode(ONE, "application/x-npy", by_columns=False).body
    found = np.load(io.BytesIO(body), allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, ONE["scores"])


def test_texts_in_csv_stand_in_cells() -> None:
    texts = {"label": np.array([b"cat", b"a, b"], object)}
    assert encode(texts, "text/csv", by_columns=False).body == b'cat\n"a, b"\n'


@pytest.mark.parametrize(
    ("outputs", "media_type", "words"),
    [
        (TWO, "text/csv", r"The model has 2 outputs \(a, b\), which don't fit"),
        (TWO, "application/x-npy", r"The model has 2 outputs \(a, b\), which don't fit"),
        ({"label": TEXTS["label"]}, "application/x-npy", "The answer is text, which is no array"),
        (ONE, "image/png", "Tensors are answered by tensors, not as image/png"),
    ],
)
def test_what_can_not_be_made_of_tensors_is_refused(
    outputs: Tensors, media_type: str, words: str
) -> None:
    with pytest.raises(NotAcceptable, match=words):
        encode(outputs, media_type, by_columns=False)
