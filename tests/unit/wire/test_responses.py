"""Result + Accept → bytes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import NotAcceptable, NotAnImage, PlumblineError
from plumbline.results.task_results import Classes, Detections, Failure, Result
from plumbline.vision.geometry import Geometry, Rect
from plumbline.wire import responses
from plumbline.wire.responses import FORMS, Parts, encode_error, negotiate, to_json

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=3000)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("APPLICATION/JSON; q=0.5", "application/json"),
        ("image/png, application/json", "image/png"),
        ("image/png;q=0.5, application/json", "application/json"),
        ("image/png;q=0, */*;q=0.1", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("image/*", "image/png"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("application/x-npy", "application/x-npy"),
        ("application/jsonlines", "application/jsonlines"),
        ("text/csv;q=high, image/png;q=0.9", "text/csv"),
    ],
)
def test_the_answer_takes_the_form_that_is_liked_best(accept: str, media_type: str) -> None:
    assert negotiate(accept) == media_type


@pytest.mark.parametrize("accept", ["", "*/*", "application/*"])
def test_where_anything_goes_the_default_is_taken(accept: str) -> None:
    assert negotiate(accept, "application/jsonlines") == "application/jsonlines"


@pytest.mark.parametrize("accept", ["text/html, audio/*", "application/json;q=0", ","])
def test_an_accept_that_nothing_answers_is_refused(accept: str) -> None:
    if accept == ",":
        assert negotiate(accept) == "application/json"
        return
    with pytest.raises(NotAcceptable) as caught:
        negotiate(accept)
    assert caught.value.message == (
        f"Accept {accept!r} can't be answered; ask for application/json, application/jsonlines, "
        "text/csv, application/x-npy, image/png."
    )


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


def written(media_type: str, *results: Result, style: str = "typed", alone: bool = False) -> bytes:
    form = FORMS[media_type]
    parts = [form.part(result, number, style) for number, result in enumerate(results)]
    return form.whole(parts, alone)


CAT = Classes(np.array([0.25, 0.75], np.float32), (1,), ("cat",))
DOG = Classes(np.array([1, 0], np.float32), (0,), ("dog, wild",))
BEES = Detections(
    np.array([[8.0, 4.0, 16.0, 64.0], [0.0, 0.0, 1.0, 1.0]]),
    np.array([0.9, 0.5], np.float32),
    np.array([1, 3]),
    ("bee", "wasp"),
    Geometry((50, 100), Rect(0, 0, 100, 50), Rect(0, 0, 32, 32), (32, 32)),
)
NONE = replace(
    BEES, boxes=BEES.boxes[:0], scores=BEES.scores[:0], class_ids=BEES.class_ids[:0], labels=()
)
BAD = Failure(NotAnImage("No picture."))
BAD_JSON = {"error": {"code": "not_an_image", "message": "No picture."}}


def test_classes_in_json() -> None:
    assert json.loads(written("application/json", CAT, BAD)) == {
        "predictions": [{"classes": [{"label": "cat", "class_id": 1, "score": 0.75}]}, BAD_JSON]
    }


def test_detections_in_json_are_pixels_of_the_picture_as_sent() -> None:
    assert json.loads(written("application/json", BEES, alone=True)) == {
        "predictions": [
            {
                "detections": [
                    {"label": "bee", "class_id": 1, "score": 0.9, "box": [25, 6.25, 50, 50]},
                    {"label": "wasp", "class_id": 3, "score": 0.5, "box": [0, 0, 3.125, 1.5625]},
                ],
                "image": {"width": 100, "height": 50},
            }
        ]
    }


def test_rows_as_sagemakers_own_algorithms_give_them() -> None:
    found = json.loads(written("application/json", BEES, style="builtin", alone=True))
    np.testing.assert_allclose(
        found["prediction"],
        [[1, 0.9, 0.25, 0.125, 0.5, 1], [3, 0.5, 0, 0, 0.03125, 0.03125]],
        rtol=1e-6,
    )
    several = json.loads(written("application/json", CAT, BAD, style="builtin"))
    assert several == {"predictions": [{"prediction": [0.25, 0.75]}, BAD_JSON]}


def test_a_line_of_json_for_each_picture() -> None:
    lines = written("application/jsonlines", CAT, BAD, NONE).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"classes": [{"label": "cat", "class_id": 1, "score": 0.75}]},
        BAD_JSON,
        {"detections": [], "image": {"width": 100, "height": 50}},
    ]


def test_scores_and_boxes_in_csv() -> None:
    assert written("text/csv", CAT, DOG) == b"0.25,0.75\n1.0,0.0\n"
    quoted = replace(BEES, labels=('a "bee"', "wasp, large"))
    assert written("text/csv", quoted, BAD).decode() == (
        '0,1,0.9,25.0,6.25,50.0,50.0,"a ""bee"""\n'
        '0,3,0.5,0.0,0.0,3.125,1.5625,"wasp, large"\n'
        "1,error,not_an_image,No picture.\n"
    )


def array(body: bytes) -> np.ndarray:
    return np.load(io.BytesIO(body), allow_pickle=False)


def test_arrays_have_an_axis_for_the_pictures_unless_there_is_one_alone() -> None:
    np.testing.assert_array_equal(
        array(written("application/x-npy", CAT, alone=True)), np.array([0.25, 0.75], np.float32)
    )
    assert array(written("application/x-npy", CAT, DOG)).tolist() == [[0.25, 0.75], [1, 0]]
    assert array(written("application/x-npy", BEES, alone=True)).shape == (2, 6)


def test_answers_of_several_shapes_are_no_array() -> None:
    with pytest.raises(NotAcceptable) as caught:
        written("application/x-npy", BEES, NONE)
    assert caught.value.message == (
        "The pictures' answers have several shapes ([0, 6], [2, 6]) and don't fit into one array; "
        "send the pictures one by one, or ask for application/json."
    )


@pytest.mark.parametrize("part", [b"x" * 1000, np.zeros(250, np.float32)])
def test_answers_that_are_too_many_bytes_together_are_refused(
    part: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MOST_TOGETHER", 2_500)
    parts = Parts()
    parts.add(part)
    parts.add(part)
    with pytest.raises(
        NotAcceptable, match=r"first 3 pictures have 3,000 bytes, and at most 2,500"
    ):
        parts.add(part)


def test_one_answer_may_be_as_large_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MOST_TOGETHER", 1)
    Parts().add(b"large")


def test_an_error_is_no_array() -> None:
    with pytest.raises(NotAnImage):
        written("application/x-npy", CAT, BAD)


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
