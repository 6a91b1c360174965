"""Custom attributes → the options of one request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import errors
from plumbline.wire.request_options import read_options
from strategies import nasty


@given(st.integers(1, 1000), st.lists(st.sampled_from(["trace=abc", "x", "", "a=b=c", "top=7"])))
def test_options_are_found_among_whatever_else_is_there(top_k: int, others: list[str]) -> None:
    assert read_options(",".join([*others, f" top_k = {top_k} "])) == {"top_k": top_k}


@nasty
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


@pytest.mark.parametrize(
    ("attributes", "options"),
    [
        ("score_threshold=0.25", {"score_threshold": 0.25}),
        ("score_threshold=0, max_detections=3", {"score_threshold": 0.0, "max_detections": 3}),
        ("top_k=1,max_detections=1000", {"top_k": 1, "max_detections": 1000}),
        ("score_threshold=1", {"score_threshold": 1.0}),
        ("format=builtin,mode=mask", {"format": "builtin", "mode": "mask"}),
        (
            "tfs-model-name=bees,tfs-model-version=3",
            {"tfs-model-name": "bees", "tfs-model-version": 3},
        ),
    ],
)
def test_every_option_has_its_kind_of_value(attributes: str, options: dict[str, Any]) -> None:
    assert read_options(attributes) == options


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        (
            "score_threshold=1.5",
            "score_threshold=1.5: it must be a number from 0 to 1, such as 0.2.",
        ),
        (
            "score_threshold=nan",
            "score_threshold=nan: it must be a number from 0 to 1, such as 0.2.",
        ),
        ("score_threshold=x", "score_threshold=x: it must be a number from 0 to 1, such as 0.2."),
        ("max_detections=0", "max_detections=0: it must be a whole number from 1 to 1000."),
        ("format=xml", "format=xml: it must be one of typed, builtin, raw."),
        ("mode=", "mode=: it must be one of overlay, mask."),
        ("tfs-model-version=x", "tfs-model-version=x: it must be a whole number, such as 1."),
    ],
)
def test_every_option_says_what_it_must_be(attributes: str, sentence: str) -> None:
    with pytest.raises(errors.InvalidAttribute) as caught:
        read_options(attributes)
    assert caught.value.message == sentence
