"""The user's own code in a process of its own: what it returns, and whatever else it does."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from plumbline.errors import PackingError
from plumbline.packing import user_reference, user_reference_process

PICTURES = ("a.png", "b.png")


def answers(folder: Path, code: str, function: str = "predict") -> dict[str, dict[str, np.ndarray]]:
    """What this code gives for two files."""
    (folder / "notebook.py").write_text(code)
    pictures = [folder / name for name in PICTURES]
    for number, picture in enumerate(pictures):
        picture.write_bytes(bytes([number + 1]))
    done: list[str] = []
    parsed = user_reference.parse(f"{folder / 'notebook.py'}:{function}")
    found = user_reference.outputs(parsed, pictures, done.append)
    assert done == list(PICTURES)
    return found


def failure(folder: Path, code: str, function: str = "predict") -> str:
    with pytest.raises(PackingError) as raised:
        answers(folder, code, function)
    return str(raised.value)


RETURNS = {
    "an array": ("np.array([1, 2.0])", {"output": [1.0, 2.0]}),
    "a list of numbers": ("[1, 2]", {"output": [1, 2]}),
    "a number": ("1 / 2", {"output": 0.5}),
    "several arrays": ("[np.ones(2), np.zeros(1)]", {"output_0": [1, 1], "output_1": [0]}),
    "named arrays": ("{'boxes': np.ones(1), 'file': [3]}", {"boxes": [1], "file": [3]}),
}


def test_what_it_returns_arrives(tmp_path: Path) -> None:
    returns = ", ".join(f"{name!r}: {expression}" for name, (expression, _) in RETURNS.items())
    code = f"""
import numpy as np
def predict(path):
    return {{{returns}}}[open(path).read()]
"""
    pictures = [tmp_path / f"{number}.png" for number in range(len(RETURNS))]
    for picture, name in zip(pictures, RETURNS, strict=True):
        picture.write_text(name)
    (tmp_path / "notebook.py").write_text(code)
    parsed = user_reference.parse(f"{tmp_path / 'notebook.py'}:predict")
    done: list[str] = []

    found = user_reference.outputs(parsed, pictures, done.append)

    assert done == [picture.name for picture in pictures]
    for picture, (_, expected) in zip(pictures, RETURNS.values(), strict=True):
        arrays = {name: value.tolist() for name, value in found[picture.name].items()}
        assert arrays == expected


NO_ARRAYS = {
    "returned None; it must": None,
    "returned a text, 'cat'; it must": "cat",
    "returned a object (object": object(),
    "returned what is no array": [[1], [1, 2]],
}


@pytest.mark.parametrize("said", NO_ARRAYS)
def test_what_is_no_array_is_said(said: str) -> None:
    with pytest.raises(user_reference_process.NoArray, match=f"^{re.escape(said)}"):
        user_reference_process.named(NO_ARRAYS[said])


def test_it_may_print_and_change_the_folder_and_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 7\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('the wrong json')\n")
    code = """
import os, sys
import helper
print("loading")
def predict(path):
    print("predicting", path)
    print("a warning", file=sys.stderr)
    os.chdir("/")
    return [helper.VALUE, len(sys.argv)]
"""
    before = Path.cwd(), list(sys.path), dict(os.environ)
    assert answers(tmp_path, code)["b.png"]["output"].tolist() == [7, 1]
    assert (Path.cwd(), list(sys.path), dict(os.environ)) == before


FAILURES = {
    "raises at import": ("raise ValueError('no model')", "importing notebook.py raised ValueError"),
    "raises": ("def predict(path): return 1 / 0", "predict('a.png') raised ZeroDivisionError"),
    "exits": (
        "import sys\ndef predict(path): sys.exit(3)",
        "predict('a.png') ended the process (sys.exit(3))",
    ),
    "dies": (
        "import os\ndef predict(path): os._exit(5)",
        "its process ended with exit status 5 before it came to a.png",
    ),
    "is killed": (
        "import os, signal\ndef predict(path): os.kill(os.getpid(), signal.SIGKILL)",
        "its process was killed by SIGKILL before it came to a.png",
    ),
    "is interrupted": ("def predict(path): raise KeyboardInterrupt", "raised KeyboardInterrupt"),
    "returns nothing": ("def predict(path): pass", "predict('a.png') returned None; it must"),
    "has other functions": ("def guess(path): pass", "found no function 'predict'; it has guess"),
    "is no Python": ("def predict(path", "importing notebook.py raised SyntaxError"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_whatever_it_does_is_said_in_a_sentence(tmp_path: Path, what: str) -> None:
    code, said = FAILURES[what]
    message = failure(tmp_path, code)
    assert message.startswith("The reference notebook.py:predict failed: ")
    assert said in message


def test_it_fails_in_the_middle(tmp_path: Path) -> None:
    code = "def predict(path):\n    assert 'b.png' not in path, 'not this one'\n    return 1.0"
    assert "predict('b.png') raised AssertionError: not this one" in failure(tmp_path, code)


def test_what_it_printed_is_the_users_own_text(tmp_path: Path) -> None:
    code = """
import sys
print("my own words", flush=True)
print("I0000 00:00:1795973983.048860   21588 port.cc:153] oneDNN custom operations are on.")
print("2026-11-29 17:12:07.157: I tensorflow/core/util/port.cc:153] oneDNN", file=sys.stderr)
def predict(path):
    return 1 / 0
"""
    printed = failure(tmp_path, code).partition("It printed last:\n")[2].splitlines()
    assert printed[:2] == ["  my own words", "  Traceback (most recent call last):"]
    assert printed[2].startswith(f'    File "{tmp_path / "notebook.py"}", line 7, in predict')
    assert "oneDNN" not in str(printed)
    assert "plumbline" not in str(printed)


@pytest.mark.parametrize("text", ["predict", "notebook.py", "notebook.py:", ":predict", "a.py:b c"])
def test_a_reference_is_a_file_and_a_function(text: str) -> None:
    with pytest.raises(PackingError, match=re.escape("write FILE:FUNCTION, such as")):
        user_reference.parse(text)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(PackingError, match=r"There is no file nowhere\.py; write FILE:FUNCTION"):
        user_reference.parse("nowhere.py:predict")


def test_a_notebook_has_to_be_written_as_python_first() -> None:
    with pytest.raises(PackingError, match=r"jupyter nbconvert --to script train\.ipynb"):
        user_reference.parse("train.ipynb:predict")


def test_its_last_lines_are_shown_and_nothing_else_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    code = """
import tempfile
tempfile.mkdtemp()
for n in range(99): print('line', n)
def predict(path): raise OSError('no weights')
"""
    message = failure(tmp_path, code)
    assert "It printed last:\n" in message
    assert "OSError: no weights" in message
    assert "line 98" in message
    assert "line 50" not in message
    assert list(temporary.iterdir()) == []
