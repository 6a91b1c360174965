"""TensorFlow Serving's JSON, as its documentation and its own tests have it, through HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from served import Refused, Served, message_of
from werkzeug.test import TestResponse

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Tensors

ANY_SHAPE = (None, None, None, None)


@dataclass(frozen=True)
class Echo:
    """Gives its inputs back, or what it is told to give."""

    inputs: tuple[TensorSpec, ...]
    given: Tensors | None = None
    name: str = "echo"
    others: Mapping[str, Engine] = field(default_factory=dict)

    @property
    def signature(self) -> Signature:
        return Signature(self.inputs, self.inputs)

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        return inputs if self.given is None else self.given


class HalfPlusThree(Echo):
    """The model of TensorFlow Serving's documentation."""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        return {name: tensor / 2 + 3 for name, tensor in inputs.items()}


def spec(name: str, dtype: str, *shape: int | None) -> TensorSpec:
    return TensorSpec(name, shape, dtype)


def client_of(engine: Echo) -> FlaskClient:
    return Served(engine=engine, spec=ModelSpec("raw")).client()


def post(client: FlaskClient, document: Any, accept: str = "") -> TestResponse:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(
        "/invocations", data=body, content_type="application/json", headers={"Accept": accept}
    )


def answered(engine: Echo, document: Any) -> Any:
    response = post(client_of(engine), document)
    assert (response.status_code, response.content_type) == (200, "application/json"), response.text
    return json.loads(response.data)


TAG, SIGNAL = spec("tag", "string", None), spec("signal", "int32", None, 5)
SENSOR = spec("sensor", "float32", None, 2, 2)
INT, STR = spec("int_tensor", "int32", None, 3, 2), spec("str_tensor", "string", None)
HELLO, WORLD = {"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}
ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
COLUMNS = {
    "tag": ["foo", "bar"],
    "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
    "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]],
}


@pytest.mark.parametrize(
    ("inputs", "value"),
    [
        ([TAG], ["foo", "bar", "baz"]),
        ([spec("x", "int32", None, 1, 2)], [[[1, 2]], [[3, 4]]]),
        ([spec("x", "int64", None, 2)], [[1, 2], [3, 4], [5, 6]]),
        ([spec("x", "float32", None)], [1, 2.0, 3, 4, 5.003, 0.007, 0.0, 9e6, 3e-5, 555557.5]),
        ([spec("x", "float64", None)], [1.0, 2, 3, 4, 0.662, 0, 0.0]),
        ([spec("x", "bool", None)], [True, False]),
        ([spec("x", "uint64", None)], [2**64 - 1, 0]),
        ([spec("x", "int8", None)], [-128, 127]),
        ([spec("x_bytes", "string", None)], [HELLO, WORLD]),
        ([spec("x_bytes", "string", None, None)], [[HELLO], [WORLD]]),
        ([spec("x_bytes", "string", None, None, None)], [[[HELLO], [WORLD]]]),
        ([TAG, SIGNAL, SENSOR], ROWS),
    ],
)
def test_rows_come_back_as_rows(inputs: list[TensorSpec], value: Any) -> None:
    """The last of several axes may be open, as in the tests of TensorFlow Serving."""
    assert answered(Echo(tuple(inputs)), {"instances": value}) == {"predictions": value}
    if len(inputs) == 1:
        named = [{inputs[0].name: row} for row in value]
        assert answered(Echo(tuple(inputs)), {"instances": named}) == {"predictions": value}


@pytest.mark.parametrize(
    ("inputs", "value", "shown"),
    [
        ([TAG, SIGNAL, SENSOR], COLUMNS, COLUMNS),
        ([INT], {"int_tensor": [[[1, 2], [3, 4], [5, 6]]]}, [[[1, 2], [3, 4], [5, 6]]]),
        ([INT], [[[1, 2], [3, 4], [5, 6]]], [[[1, 2], [3, 4], [5, 6]]]),
        ([spec("x", "float32")], 0.5, 0.5),
        ([spec("x_bytes", "string")], HELLO, HELLO),
        ([spec("x", "string")], {"x": "text"}, "text"),
        (
            [INT, STR, spec("bin_bytes", "string")],
            {"int_tensor": [[[1, 2]] * 3], "str_tensor": ["foo", "bar"], "bin_bytes": HELLO},
            {"int_tensor": [[[1, 2]] * 3], "str_tensor": ["foo", "bar"], "bin_bytes": HELLO},
        ),
    ],
)
def test_columns_come_back_as_columns(inputs: list[TensorSpec], value: Any, shown: Any) -> None:
    assert answered(Echo(tuple(inputs)), {"inputs": value}) == {"outputs": shown}


def test_the_model_of_the_documentation_answers_as_there() -> None:
    model = HalfPlusThree((spec("x", "float32", None),))
    document = {"instances": [1.0, 2.0, 5.0]}
    assert answered(model, document) == {"predictions": [3.5, 4.0, 5.5]}


def test_another_signature_is_asked_by_its_name() -> None:
    half = HalfPlusThree((spec("x", "float32", None),))
    texts = Echo((spec("x_bytes", "string", None),))
    model = Echo((spec("x", "float32", None),), others={"half": half, "texts": texts})
    for name, found in (("half", [4.0]), ("serving_default", [2.0])):
        document = {"signature_name": name, "instances": [2.0]}
        assert answered(model, document) == {"predictions": found}
    document = {"signature_name": "texts", "instances": [HELLO]}
    assert answered(model, document) == {"predictions": [HELLO]}


def test_another_signature_that_is_not_there_is_told_which_are(refused: Refused) -> None:
    model = Echo((TAG,), others={"z": Echo((TAG,)), "a": Echo((TAG,))})
    for form in ({"instances": ["x"]}, {"inputs": ["x"]}, {"instances": [HELLO]}):
        response = post(client_of(model), {"signature_name": "b", **form})
        assert refused(response, 400, None) == (
            "The model has no signature 'b'; it has 'serving_default', 'a', 'z'. Name one of these "
            'as "signature_name", or leave that out.'
        )


def test_columns_may_be_of_several_lengths_and_longer_than_a_batch() -> None:
    table = Echo((spec("ids", "int32", None), spec("lookup", "float32", 100)))
    document = {"inputs": {"ids": [1, 2, 3], "lookup": [0.5] * 100}}
    assert answered(table, document) == {"outputs": document["inputs"]}


BAD: dict[str, tuple[tuple[TensorSpec, ...], Any, str]] = {
    "longer": ((spec("x", "int32", None, 2),), [[1, 2], [3, 4], [5, 6, 7]], "are ragged"),
    "deeper": ((spec("x", "int32", None, 2),), [[1, 2], [3, 4], [[5, 6]]], "are ragged"),
    "deeper inside": ((spec("x", "int32", None),), [1, [1]], "don't fit"),
    "texts": ((spec("x", "int32", None, 2),), [[1, 2], ["a", "b"]], "don't fit"),
    "too large": ((spec("x", "float32", None),), [1.7976931348623157e308], "outside the range"),
    "fraction": ((spec("x", "int32", None),), [1.5], "don't fit"),
    "a whole one as a fraction": ((spec("x", "int32", None),), [1.0], "don't fit"),
    "number as text": ((spec("x", "float32", None),), ["1.0"], "don't fit"),
    "number for a text": ((TAG,), [1], "must be a text"),
    "null": ((TAG,), [None], "must be a text"),
    "b64 and more": ((TAG,), [["x"], {"b64": 5}], "are ragged"),
    "bad b64": ((spec("x", "string", None, 1),), [[{"b64": "?"}]], "must be a text"),
    "one is shorter": ((INT, STR), [{"int_tensor": [[1, 2]] * 3}], "exactly the model's inputs"),
    "one is another": (
        (INT, STR),
        [{"int_tensor": [[1, 2]] * 3, "str_tensor": "foo"}, [1, 20, 30]],
        "Instance 1 must be an object",
    ),
    "plain list": ((INT, STR), [[1, 2]], "The model has 2 inputs; give each by its name"),
    "other shape": (
        (INT, STR),
        [{"int_tensor": [[1, 2]] * 3, "str_tensor": "a"}, {"int_tensor": [[1]], "str_tensor": "b"}],
        "are ragged",
    ),
    "object later": ((spec("x", "string", None, 1),), [["baz"], {"x": ["baz"]}], "are ragged"),
    "not a bool": ((spec("x", "bool", None),), [2], "outside the range"),
    "below": ((spec("x", "uint8", None),), [-1], "outside the range"),
    "above": ((spec("x", "int32", None),), [2**31], "outside the range"),
    "far above": ((spec("x", "int64", None),), [2**63], "outside the range"),
    "above all": ((spec("x", "uint64", None),), [2**64], "don't fit"),
}


@pytest.mark.parametrize(("inputs", "rows", "words"), BAD.values(), ids=BAD)
def test_bad_rows_are_refused_with_a_sentence(
    inputs: tuple[TensorSpec, ...], rows: Any, words: str, refused: Refused
) -> None:
    client = client_of(Echo(inputs))
    assert words in refused(post(client, {"instances": rows}), 400, None)


@pytest.mark.parametrize(
    "value", [5, None, "x", {}, {"x": [1], "y": [1]}, {"b64": "aGVsbG8="}, [[1]], {"x": {"x": [1]}}]
)
def test_bad_columns_are_refused_with_a_sentence(value: Any, refused: Refused) -> None:
    refused(post(client_of(Echo((spec("x", "float32", None),))), {"inputs": value}), 400, None)


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines"])
@pytest.mark.parametrize(
    "outputs",
    [
        {"a": np.zeros((2, 3)), "b": np.zeros((1, 3))},
        {"a": np.zeros(2), "loss": np.array(0.5)},
        {"loss": np.array(0.5)},
    ],
)
def test_outputs_that_are_no_rows_are_told_to_be_asked_in_columns(
    outputs: Tensors, accept: str, refused: Refused
) -> None:
    client = client_of(Echo((spec("x", "float32", None),), outputs))
    message = refused(post(client, {"instances": [1, 2]}, accept), 400, None)
    assert message.endswith(
        'send {"inputs": …} instead of {"instances": …}, and ask for application/json.'
    )
    assert post(client, {"inputs": [1, 2]}).status_code == 200


def test_tensors_as_json_lines_are_the_one_document() -> None:
    """As SageMaker's container of TensorFlow Serving answers; lines are for bodies of lines."""
    lines = "application/jsonlines"
    client = client_of(Echo((spec("x", "float32", None),)))
    for document in ({"instances": [1, 2]}, {"inputs": [1, 2]}, {"x": 1}):
        whole, named = (post(client, document, accept) for accept in ("application/json", lines))
        assert (named.data, named.content_type) == (whole.data, lines)
    sent = {"data": b"1\n2\n", "headers": {"Accept": lines}}
    table = client.post("/invocations", content_type="text/csv", **sent)
    assert table.data == post(client, {"instances": [1, 2]}).data
    answered = client.post("/invocations", content_type=lines, **sent)
    assert (answered.data, answered.content_type) == (b"1.0\n2.0\n", lines)


def test_what_is_no_number_is_null() -> None:
    values = {"y": np.array([np.nan, np.inf, -np.inf, 1], np.float32)}
    model = Echo((spec("x", "float32", None),), values)
    assert answered(model, {"instances": [1]}) == {"predictions": [None, None, None, 1.0]}


DTYPES = st.sampled_from(["float32", "float64", "int32", "int64", "uint8", "int16", "bool"])


@given(st.data())
def test_any_tensor_comes_back_as_it_was_sent(data: st.DataObject) -> None:
    dtype = data.draw(DTYPES)
    shape = data.draw(hypothesis_numpy.array_shapes(max_dims=4, max_side=4))
    finite = {"allow_nan": False, "allow_infinity": False} if "float" in dtype else {}
    elements = hypothesis_numpy.from_dtype(np.dtype(dtype), **finite)
    tensor = data.draw(hypothesis_numpy.arrays(dtype, shape, elements=elements))
    client = client_of(Echo((TensorSpec("x", ANY_SHAPE[: len(shape)], dtype),)))
    for form, shown in (("instances", "predictions"), ("inputs", "outputs")):
        response = post(client, {form: tensor.tolist()})
        assert response.status_code == 200, response.text
        found = np.array(json.loads(response.data)[shown], dtype)
        np.testing.assert_array_equal(found, tensor)


TEXTS = st.text(max_size=5) | st.sampled_from(["b64", "x", "y", "url", "aGVsbG8=", "1"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from([HELLO, {"b64": 5}, {"x": 1.0, "y": ["a"]}])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "instances": st.lists(VALUES, max_size=4) | VALUES,
        "inputs": VALUES,
        "signature_name": st.sampled_from(["serving_default", "two", "", "x"]) | LEAVES,
    },
)

TWO = Echo((spec("x", "float32", None), spec("y", "string", None, 1)))
HOSTS = {
    "floats": Echo((spec("x", "float32", None, None),), others={"two": TWO}),
    "whole numbers": Echo((spec("x", "uint8", None),), others={"two": TWO}),
    "texts": Echo((spec("x", "string", None),), others={"two": TWO}),
    "texts in texts": Echo((spec("x_bytes", "string", 2, None),), others={"two": TWO}),
    "a scalar": Echo((spec("x", "string"),), others={"two": TWO}),
    "pictures": Echo((spec("x", "float32", None, 4, 4, 3),), others={"two": TWO}),
    "two": TWO,
}
CLIENTS = {name: client_of(engine) for name, engine in HOSTS.items()}


@pytest.mark.parametrize("host", HOSTS)
@given(document=DOCUMENTS, accept=st.sampled_from(["", "text/csv", "application/x-npy"]))
def test_no_document_is_the_servers_fault(host: str, document: Any, accept: str) -> None:
    response = post(CLIENTS[host], document, accept)
    assert response.status_code < 500, response.text
    if response.status_code != 200:
        error = json.loads(response.data)["error"]
        message_of(response, error["code"] if isinstance(error, dict) else None)
