"""Which functions of a user's code there may be together, as found without running it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.archive.handler_code import Code
from plumbline.archive.handler_errors import HandlerError
from plumbline.archive.handler_functions import (
    PARAMETERS,
    REPLACED,
    SERVING,
    TOOLKIT,
    chosen,
    names_in,
)
from strategies import nasty

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
    "handler: Any = make()": {"handler"},
    "handler: Any": set(),
    "input_fn, (predict_fn, more.x) = make()": {"input_fn", "predict_fn"},
    "from mine import *": {"found in mine"},
    "from ..more.mine import *": {"found in ..more.mine"},
}


def starred(module: str) -> set[str]:
    """What the tests' modules bind."""
    return {f"found in {module}"}


@pytest.mark.parametrize("source", FOUND)
def test_names_at_the_top_are_found(source: str) -> None:
    assert names_in(source, "code/inference.py", starred) == FOUND[source]


def refusal_of(act: Callable[[], object]) -> str:
    """The words of a refusal; empty where there is none."""
    try:
        act()
    except HandlerError as refusal:
        return refusal.message
    return ""


@nasty
@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    said = refusal_of(lambda: names_in(text, "code/inference.py", starred))
    assert said == "" or said.startswith("code/inference.py")


@nasty
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


MODEL_FN = "def model_fn(model_dir): ..."

STARRED = {
    "beside it": {"impl.py": MODEL_FN},
    "in lib": {"lib/impl.py": MODEL_FN},
    "in a package": {"impl/__init__.py": MODEL_FN},
    "a part of a package": {
        "impl/__init__.py": "from .parts.model import *",
        "impl/parts/model.py": MODEL_FN,
    },
    "one through the other, in a circle": {
        "impl.py": "from other import *",
        "other.py": f"from inference import *\n{MODEL_FN}",
    },
    "as it exports it": {"impl.py": f"__all__ = ['model_fn']\ndef helper(): ...\n{MODEL_FN}"},
}


@pytest.mark.parametrize("files", STARRED.values(), ids=STARRED)
def test_what_a_module_of_the_same_code_exports_is_found(
    tmp_path: Path, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "inference.py").write_text("from impl import *\n")
    assert Code(tmp_path, tmp_path / "inference.py").names == {"model_fn"}


@pytest.mark.parametrize(
    "source",
    [
        "from a_library import *",
        f"from {'.' * 99} import *",
        "from ..beyond import *",
        "from . import *",
        "from hidden import *",
    ],
)
def test_what_is_not_exported_to_it_or_lies_elsewhere_is_not_found(
    tmp_path: Path, source: str
) -> None:
    code = tmp_path / "model" / "code"
    code.mkdir(parents=True)
    (code / "inference.py").write_text(source)
    (code / "hidden.py").write_text(f"__all__ = []\n{MODEL_FN}\n_hidden = 1\n")
    for beyond in ("beyond.py", "code.py"):
        (tmp_path / "model" / beyond).write_text(MODEL_FN)
    assert Code(code, code / "inference.py").names == set()
