"""Body + Content-Type → pictures or tensors; custom attributes → options."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from numpy.testing import assert_array_equal

from plumbline import errors
from plumbline.errors import BodyTooLarge, InvalidCSV
from plumbline.wire.json_documents import MOST_A_LETTER, check_memory, from_jsons, memory_of
from plumbline.wire.picture_items import Item, Link, Text
from plumbline.wire.requests import READERS, Pictures, Request, may_have_links, read
from plumbline.wire.tensor_bodies import Array, Inputs, Instances, Lines
from strategies import nasty

FORM = (
    'Send {"instances": [...]}, each instance a tensor, {"b64": "<a picture in base64>"} '
    'or {"url": "<a picture\'s link>"}.'
)


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
    assert read(Request(b"bytes", content_type)) == Pictures((b"bytes",), alone=True)


def test_json_rows_stay_as_they_are() -> None:
    assert read(json_request({"instances": [[1, 2]]})) == Instances([[1, 2]])


@nasty
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
    [
        {},
        [],
        None,
        {"instances": []},
        {"instances": {}},
        {"instances": [1], "inputs": [1]},
    ],
)
def test_json_of_another_form_is_refused_with_the_form(document: Any) -> None:
    with pytest.raises(errors.InvalidInstances) as caught:
        read(json_request(document))
    assert caught.value.message == f"The JSON has no list of instances. {FORM}"


@pytest.mark.parametrize("row", [{"b64": 1}, {}, [1], 5, {"url": 5}])
def test_what_is_no_picture_is_refused_in_its_place(row: Any) -> None:
    good = {"b64": base64.b64encode(b"picture").decode()}
    payload = read(json_request({"instances": [good, row]}))
    assert isinstance(payload, Pictures)
    assert str(refusal(payload.items[1])) == (
        'Instance 1 is neither {"b64": "<a picture in base64>"} nor {"url": "<a picture\'s link>"}.'
    )


@pytest.mark.parametrize("first", [{"b64": "YQ=="}, {"url": "https://a"}])
def test_a_text_beside_pictures_is_kept_as_it_is(first: dict[str, str]) -> None:
    payload = read(json_request({"instances": [first, "YQ=="]}))
    assert isinstance(payload, Pictures)
    assert payload.items[1] == Text("YQ==", "Instance 1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("***", "base64 has no '*' in it"),
        ("abcde", "it breaks off, or has letters too many"),
        ("data:image/png,abc", "a data: URI must begin like data:image/jpeg;base64,"),
    ],
)
def test_bad_base64_is_refused_in_its_place(text: str, reason: str) -> None:
    good = {"b64": base64.b64encode(b"picture").decode()}
    payload = read(json_request({"instances": [good, {"b64": text}]}))
    assert isinstance(payload, Pictures)
    first, second = payload.items
    assert first == b"picture"
    assert str(refusal(second)) == (
        f'Instance 1: its "b64" is no base64: {reason}. base64.b64encode(data).decode() makes it '
        "of a file's bytes."
    )


def refusal(item: Item) -> errors.RequestError:
    assert isinstance(item, errors.RequestError)
    return item


def test_links_are_pictures() -> None:
    rows = [{"url": "s3://bees/1.jpg"}, {"source-ref": "s3://bees/2.jpg", "bees": {}}]
    expected = Pictures((Link("s3://bees/1.jpg"), Link("s3://bees/2.jpg")))
    assert read(json_request({"instances": rows})) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "look"),
    [
        (b'{"instances": [{"url": "x"}]}', "application/json; charset=utf-8", True),
        (b'{"source-ref": "x"}', "application/jsonlines", True),
        (b'{"instances": [[1]]}', "application/json", False),
        (b'\xff\xd8 "url"', "image/jpeg", False),
        (b'{"instances": [{"url": "x"}]}' + b" " * 2**20, "application/json", False),
    ],
)
def test_links_are_looked_for_where_there_may_be_some(
    body: bytes, content_type: str, look: bool
) -> None:
    assert may_have_links(Request(body, content_type)) is look


def test_columns_and_the_signatures_name_are_read() -> None:
    document = {"signature_name": "features", "inputs": {"a": [1]}}
    assert read(json_request(document)) == Inputs({"a": [1]}, "features")
    document = {"signature_name": "features", "instances": [1]}
    assert read(json_request(document)) == Instances([1], "features")


def test_a_signatures_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(errors.InvalidInstances, match='"signature_name" must be a text'):
        read(json_request({"signature_name": 1, "inputs": [1]}))


def lines(body: bytes) -> Any:
    return read(Request(body, "application/jsonlines"))


def test_a_picture_a_line_with_the_bad_lines_in_their_place() -> None:
    picture = b'{"b64": "AAEC"}'
    payload = lines(picture + b"\r\n\n  \n{broken\n[1, 2]\n" + picture)
    assert payload.lines is True
    first, second, third, fourth = payload.items
    assert first == fourth == b"\x00\x01\x02"
    assert str(refusal(second)).startswith("Line 2 is not valid JSON: ")
    assert str(refusal(third)).startswith("Line 3 is neither ")


def test_where_every_line_is_broken_each_has_its_error() -> None:
    payload = lines(b"{\n}")
    assert [refusal(item).code for item in payload.items] == ["invalid_json"] * 2


def test_a_tensor_a_line() -> None:
    assert lines(b"[1, 2]\n[3, 4]\n") == Lines(([1, 2], [3, 4]))


def test_a_broken_line_among_tensors_stands_in_its_place() -> None:
    first, second = lines(b"[1, 2]\n[3, 4").rows
    assert first == [1, 2]
    assert str(refusal(second)).startswith("Line 2 is not valid JSON: ")


def test_more_lines_than_are_taken_are_refused_before_any_is_read() -> None:
    for content_type in ("application/jsonlines", "text/csv"):
        request = Request(b"1\n\n2\n", content_type)
        assert read(request, 2)
        with pytest.raises(errors.InvalidInstances, match="taken at once"):
            read(request, 1)


def test_more_pictures_than_are_taken_are_refused_before_any_is_decoded() -> None:
    request = json_request({"instances": [{"b64": "?"}] * 3})
    with pytest.raises(errors.InvalidInstances) as caught:
        read(request, 2)
    assert caught.value.message == (
        "The request has 3 instances, but 1 to 2 are taken at once; send them in several requests."
    )


@pytest.mark.parametrize("body", [b"\n", b" \r\n\t"])
def test_no_line_at_all_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidInstances, match="There is no line with an instance"):
        lines(body)


def npy(array: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def read_npy(body: bytes) -> np.ndarray:
    payload = read(Request(body, "application/x-npy"))
    assert isinstance(payload, Array)
    return payload.values


@nasty
@given(
    hypothesis_numpy.arrays(
        hypothesis_numpy.integer_dtypes() | hypothesis_numpy.floating_dtypes() | st.just("?"),
        hypothesis_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0),
    ),
    st.booleans(),
)
def test_an_array_arrives_as_it_was_saved(array: np.ndarray, fortran: bool) -> None:
    saved = np.asfortranarray(array) if fortran else array
    found = read_npy(npy(saved))
    assert found.dtype == saved.dtype
    np.testing.assert_array_equal(found, saved)


class Exploding:
    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def npy_header(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"nothing", id="text"),
        pytest.param(npy(np.ones(3))[:-1], id="cut"),
        pytest.param(npy(np.ones(3)) + b"x", id="more"),
        pytest.param(npy(np.ones(3))[:20], id="header"),
        pytest.param(npy(np.array([Exploding()]), allow_pickle=True), id="pickle"),
        pytest.param(npy(np.array(["text"])), id="texts"),
        pytest.param(npy(np.zeros(2, [("a", "f4")])), id="records"),
        pytest.param(
            npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,)}\n"),
            id="huge",
        ),
        pytest.param(
            npy_header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -4)}\n", b"1234"),
            id="negative",
        ),
        pytest.param(
            npy_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(0, 2**62, 2**62)}}}"),
            id="huge though empty",
        ),
        pytest.param(
            npy_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(1,) * 65}}}", b"1"),
            id="too many axes",
        ),
        pytest.param(
            npy_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': (0x{'f' * 6000},)}}"),
            id="a length without end",
        ),
        pytest.param(npy_header("(" * 5000), id="deep"),
        pytest.param(npy_header("{'descr': 1"), id="open"),
    ],
)
def test_what_is_no_whole_array_of_numbers_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidArray):
        read_npy(body)


def test_a_length_may_be_a_truth() -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 2)}"
    np.testing.assert_array_equal(read_npy(npy_header(header, b"\x01\x02")), [[1, 2]])


def test_lines_of_numbers_are_read() -> None:
    payload = read(Request(b"\xef\xbb\xbf1,2.5,-3e2\r\n4, 5 ,.6\n", "text/csv"))
    assert isinstance(payload, Array)
    assert payload.flat is True
    np.testing.assert_array_equal(payload.values, [[1, 2.5, -300], [4, 5, 0.6]])


@pytest.mark.parametrize(
    "body", [b"a,b\n1,2\n", b"1,2\n3\n", b"1,,2\n", b" \n", b"\xff\xfe1", b"1;2"]
)
def test_what_is_no_table_of_numbers_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidCSV):
        read(Request(body, "text/csv"))


@pytest.mark.parametrize("shape", [(1, 200_001), (3, 60_000), (5000, 40), (2, 1)])
def test_csv_that_is_read_in_pieces_is_what_numpy_reads_of_it_whole(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    text = "\n".join(",".join(map(repr, row)) for row in values.tolist())
    payload = read(Request(text.encode(), "text/csv"))
    assert isinstance(payload, Array)
    assert_array_equal(payload.values, values)


@pytest.mark.parametrize("change", ["{},", "{},x", ",{}", "{}\n1,2", "1,2\n{}", "{},,{}"])
def test_csv_that_is_read_in_pieces_is_refused_as_a_whole(change: str) -> None:
    long = ",".join(["1.5"] * 200_000)
    with pytest.raises(InvalidCSV):
        read(Request(change.format(long, long).encode(), "text/csv"))


@pytest.mark.parametrize(
    "text",
    [
        b"[]" * 1000,
        b"[" + b"[]," * 1000 + b"[]]",
        b"[" + b"{}," * 1000 + b"{}]",
        b"[" + b'{"a":1.5},' * 1000 + b"1]",
        b"[" + b'"ab",' * 1000 + b"1]",
        b"[" + b"1.5," * 1000 + b"1]",
        b"[" + b"123456," * 1000 + b"1]",
        b"[" + b"[1.5,2.5,3.5]," * 1000 + b"1]",
    ],
)
def test_values_are_counted_to_at_least_what_they_take(text: bytes) -> None:
    tracemalloc.start()
    try:
        documents = from_jsons(text)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert documents
    assert taken <= memory_of(text) <= MOST_A_LETTER * len(text)


def test_what_would_take_too_much_memory_is_refused_before_it_is_parsed() -> None:
    text = b"[" + b"[]," * 100_000 + b"[]]"
    check_memory(text, 10 * 1024**2)
    with pytest.raises(BodyTooLarge, match=r"would take 9 MiB of memory; 8 are left"):
        check_memory(text, 8 * 1024**2)
