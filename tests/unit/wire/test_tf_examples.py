"""Examples in JSON, and the protocol buffers that they become."""

from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.archive.saved_model import entries, message, varint
from plumbline.errors import InvalidInstances
from plumbline.signature import Signature, TensorSpec
from plumbline.wire.tf_examples import Examples, serialised

TEXTS = TensorSpec("inputs", (None,), "string")
SCORES = TensorSpec("scores", (None, 2), "float32")


def whole_numbers(data: memoryview) -> list[int]:
    """Numbers in a row, each of 64 bits with a sign."""
    found, place = [], 0
    while place < len(data):
        value, place = varint(data, place)
        found.append(value - (1 << 64) if value >> 63 else value)
    return found


def read_back(example: bytes) -> dict[str, list[Any]]:
    """The features, read by the reader that reads SavedModels."""
    found: dict[str, list[Any]] = {}
    for name, feature in entries(message(message(example)[1][0])[1]):
        if feature[1]:
            found[name] = [bytes(one) for one in message(feature[1][0])[1]]
        elif feature[2]:
            packed = message(feature[2][0])[1][0]
            found[name] = list(struct.unpack(f"<{len(packed) // 4}f", packed))
        else:
            lists = feature[3] and message(feature[3][0])[1]
            found[name] = whole_numbers(lists[0]) if lists else []
    return found


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(
    st.dictionaries(
        st.text(max_size=5), st.lists(FLOATS) | st.lists(INTEGERS) | st.lists(st.binary())
    )
)
def test_every_feature_comes_back(features: dict[str, list[Any]]) -> None:
    def in_json(value: Any) -> Any:
        return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value

    example = {name: [in_json(value) for value in values] for name, values in features.items()}
    assert read_back(serialised(example)) == features


def test_a_value_is_a_list_of_one() -> None:
    example = {"f": 0.5, "i": 3, "t": "é", "b": {"b64": "/w=="}, "yes": True, "none": []}
    assert read_back(serialised(example)) == {
        "f": [0.5],
        "i": [3],
        "t": ["é".encode()],
        "b": [b"\xff"],
        "yes": [1],
        "none": [],
    }


WRONG: list[tuple[Any, str]] = [
    (5, "Example must be JSON object but got JSON Number"),
    ([], "Example must be JSON object but got JSON Array"),
    ("x", "Example must be JSON object but got JSON String"),
    ({"x": None}, "Feature: x has element with unexpected JSON type: Null"),
    ({"x": {"y": 1}}, "Feature: x has element with unexpected JSON type: Object"),
    ({"x": [[1]]}, "Feature: x has element with unexpected JSON type: Array"),
    ({"x": [1.5, 1]}, "Unexpected element type in feature: x expecting type: float"),
    ({"x": ["a", 1]}, "Unexpected element type in feature: x expecting type: bytes"),
    ({"x": 2**63}, "Feature: x has uint64 element. Only int64 is supported."),
    ({"x": 1e39}, "Feature: x: Cannot convert JSON value to float without loss of precision."),
    ({"x": {"b64": "?"}}, "Feature: x: Unable to base64 decode"),
    ({"x": {"b64": 5}}, "Feature: x: Unable to base64 decode"),
]


@pytest.mark.parametrize(("example", "said"), WRONG)
def test_what_is_no_example_is_refused_in_tensorflows_words(example: Any, said: str) -> None:
    with pytest.raises(InvalidInstances) as caught:
        serialised(example)
    assert caught.value.message == said


def test_a_batch_is_texts_even_where_all_are_of_one_length() -> None:
    signature = Signature((TEXTS,), (SCORES,), "tensorflow/serving/classify")
    batch = Examples((b"ab", b"a\0"), "classify").tensors(signature)["inputs"]
    assert (batch.dtype, batch.tolist()) == (object, [b"ab", b"a\0"])


@pytest.mark.parametrize(
    "inputs", [(), (TEXTS, TEXTS), (TensorSpec("x", (None,), "string"),), (SCORES,)]
)
def test_a_signature_with_other_inputs_is_refused(inputs: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(InvalidInstances, match=r"^Expected one input Tensor, called inputs, of "):
        Examples((b"",), "classify").tensors(
            Signature(inputs, (SCORES,), "tensorflow/serving/classify")
        )


def test_scores_keep_their_own_precision() -> None:
    answer = Examples((b"",), "classify").answer({"scores": np.array([[0.1]], np.float32)})
    assert answer == {"results": [[["", np.float32(0.1)]]]}
