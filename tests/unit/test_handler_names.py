"""Which functions of a user's code there may be together, as found without running it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.failures import HandlerError
from plumbline.handler_names import PARAMETERS, REPLACED, SERVING, TOOLKIT, chosen, names_in

FOUND = {
    "def handler(data, context): ...": {"handler"},
    "async def handler(data, context): ...": {"handler"},
    "handler = lambda data, context: data": {"handler"},
    "from mine import handler, other as input_fn": {"handler", "input_fn"},
    "import mine.handler": {"mine"},
    "class handler:\n    def predict_fn(self): ...": {"handler"},
    "try:\n    import cv2\nexcept ImportError:\n    def input_fn(a, b): ...": {"cv2", "input_fn"},
    "if True:\n    def model_fn(d): ...\nelse:\n    transform_fn = 1": {"model_fn", "transform_fn"},
    "def helper():\n    def handler(data, context): ...": {"helper"},
    "x = handler": {"x"},
}


@pytest.mark.parametrize("source", FOUND)
def test_names_at_the_top_are_found(source: str) -> None:
    assert names_in(source, "code/inference.py") == FOUND[source]


def refusal_of(act: Callable[[], object]) -> str:
    """The words of a refusal; empty where there is none."""
    try:
        act()
    except HandlerError as refusal:
        return refusal.message
    return ""


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    said = refusal_of(lambda: names_in(text, "code/inference.py"))
    assert said == "" or said.startswith("code/inference.py")


@given(st.sets(st.sampled_from([*PARAMETERS, "helper", "numpy"])))
def test_what_is_chosen_is_of_one_dialect_and_nobody_is_left_out(names: set[str]) -> None:
    known = names & PARAMETERS.keys()
    said = refusal_of(lambda: chosen(names, "code/inference.py"))
    if said:
        whole = {"handler"}, {"input_handler", "output_handler"}, {"transform_fn"}
        assert said.startswith("code/inference.py")
        assert known not in whole
        assert not known or "transform_fn" in known or not known <= TOOLKIT.keys()
    else:
        assert set(chosen(names, "code/inference.py")) == known
        assert known <= SERVING.keys() or known <= TOOLKIT.keys()


def test_every_function_says_what_it_replaces() -> None:
    assert REPLACED.keys() == PARAMETERS.keys()
