"""Bodies as SageMaker's TensorFlow Serving container reads them."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import errors
from plumbline.wire.requests import Pictures, Request, read
from plumbline.wire.tensor_bodies import Inputs, Instances
from plumbline.wire.tf_examples import Examples
from plumbline.wire.tf_serving_requests import readers_of
from strategies import nasty

NAMED = {"tfs-model-name": "bees"}


def payload(body: str, content_type: str = "application/json", **options: Any) -> Any:
    request = Request(body.encode(), content_type, options=options or NAMED)
    return read(request, 8, readers_of(request))


@pytest.mark.parametrize("content_type", ["application/json", "application/jsonlines"])
@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ('{"instances": [1, 2]}', [1, 2]),
        ("[1.0, 2.0]", [[1.0, 2.0]]),
        ("[[1.0], [2.0]]", [[1.0], [2.0]]),
        ('{"x": 1}', [{"x": 1}]),
        ('[{"x": 1}, {"x": 2}]', [{"x": 1}, {"x": 2}]),
        ('["a", "b"]', [["a", "b"]]),
        ("1.5", [1.5]),
        ('"a"', ["a"]),
        ("[1]\n[2]\n", [[1], [2]]),
        ("[1] [2]", [[1], [2]]),
        ('{"x": 1}{"x": 2}\r\n\r\n{"x": 3}', [{"x": 1}, {"x": 2}, {"x": 3}]),
        ("1.5\n2", [1.5, 2]),
    ],
)
def test_json_is_instances_with_a_frame_or_without(
    body: str, content_type: str, rows: list[Any]
) -> None:
    found = payload(body, content_type)
    assert isinstance(found, Instances)
    assert found.rows == rows


@nasty
@given(st.lists(st.lists(st.integers() | st.text()) | st.dictionaries(st.text(), st.booleans())))
def test_documents_one_after_another_are_instances(documents: list[Any]) -> None:
    if len(documents) < 2 or (isinstance(documents[0], dict) and "b64" in documents[0]):
        return
    for separator in ("", " ", "\n", "\r\n\t"):
        found = payload(separator.join(map(json.dumps, documents)), "application/jsons")
        assert found.rows == documents


def test_columns_and_the_name_of_a_signature_are_read_as_ever() -> None:
    found = payload('{"inputs": {"x": [1]}, "signature_name": "other"}')
    assert found == Inputs({"x": [1]}, "other")


@pytest.mark.parametrize("form", ['{"instances": [%s, %s]}', "[%s, %s]", "%s\n%s"])
def test_pictures_are_found_in_every_form(form: str) -> None:
    row = json.dumps({"b64": base64.b64encode(b"picture").decode()})
    assert payload(form % (row, row)) == Pictures((b"picture", b"picture"))


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("1.0", [1.0]),
        ("1.0\n2\r\n5.0\n", [1.0, 2, 5.0]),
        ("1.0,2.0\n\n3,-4e2\n", [[1.0, 2.0], [3, -400.0]]),
        ("1, 2", [[1, 2]]),
        ("\ufeff1,2", [[1, 2]]),
        ('"a","b, c"', [["a", "b, c"]]),
        ("hello\nworld", ["hello", "world"]),
        ("a,1\nb,2", [["a", "1"], ["b", "2"]]),
        ("1,\n2,3", [["1", ""], ["2", "3"]]),
        ("true,null", [["true", "null"]]),
    ],
)
def test_csv_is_a_value_or_a_list_of_values_a_line(body: str, rows: list[Any]) -> None:
    assert payload(body, "text/csv").rows == rows


@pytest.mark.parametrize("body", ["\n", "\r\n\n"])
def test_csv_without_a_line_is_refused(body: str) -> None:
    with pytest.raises(errors.InvalidCSV, match="no line with values"):
        payload(body, "text/csv")


@nasty
@given(st.binary(max_size=40))
def test_any_csv_is_read_or_refused(body: bytes) -> None:
    with suppress(errors.RequestError):
        request = Request(body, "text/csv", options=NAMED)
        assert read(request, 8, readers_of(request))


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"instances": 5}', '{"examples": [{}]}'])
def test_what_holds_no_instances_is_refused(body: str) -> None:
    with pytest.raises((errors.InvalidInstances, errors.EmptyBody)):
        payload(body)


NO_JSON = ["whatever", "[1] x", "[1][", "[NaN]\n[1]", "{}}", " ", "[" * 9999]


@pytest.mark.parametrize("body", NO_JSON)
def test_what_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(errors.InvalidJSON):
        payload(body)


@pytest.mark.parametrize("method", ["classify", "regress"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/jsons", "application/jsonlines"]
)
def test_examples_are_read_where_the_method_takes_them(method: str, content_type: str) -> None:
    body = '{"examples": [{"x": 1}, {"x": 2}], "context": {"y": "z"}, "signature_name": "s"}'
    found = payload(body, content_type, **{"tfs-method": method})
    assert isinstance(found, Examples)
    assert (len(found.rows), found.method, found.signature_name) == (2, method, "s")
    assert all(b"\x01x" in row and b"\x01z" in row for row in found.rows)


def test_examples_come_in_json_only() -> None:
    with pytest.raises(errors.UnsupportedContentType):
        payload("1,2", "text/csv", **{"tfs-method": "regress"})


def test_without_a_model_or_a_method_lines_and_tables_are_read_as_ever() -> None:
    for content_type in ("application/jsonlines", "text/csv"):
        request = Request(b"1\n2", content_type)
        assert not isinstance(read(request, 8, readers_of(request)), Instances)
