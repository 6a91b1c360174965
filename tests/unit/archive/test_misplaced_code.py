"""A handler where nobody looks for one is told of, with the place where it would be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.archive.contents import open_archive
from plumbline.packing.model_sources import code_left_out

HANDLER = "def handler(data, context): ..."

AT_TOP = (
    " is not run: a handler is looked for in code/ at the top of the archive alone. Move it there, "
    "with what it imports: code/inference.py."
)


def write(file: Path, text: str | bytes = HANDLER) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "1/saved_model.pb", b"\x08\x01")
    return tmp_path


@pytest.mark.parametrize(
    "place",
    ["inference.py", "1/code/inference.py", "src/inference.py", "code/src/inference.py"],
)
def test_a_handler_that_is_not_run_is_named_with_its_place(root: Path, place: str) -> None:
    write(root / place)
    found = open_archive(root)
    assert found.code is None
    assert found.not_run == (place + AT_TOP,)


def test_one_beside_the_right_one_is_told_of_too(root: Path) -> None:
    write(root / "code/inference.py")
    write(root / "1/code/inference.py")
    found = open_archive(root)
    assert found.code is not None
    assert found.not_run == ("1/code/inference.py" + AT_TOP,)


@pytest.mark.parametrize(
    "place", ["code/package/inference.py", "code/lib/x/inference.py", ".git/inference.py"]
)
def test_what_the_right_one_may_import_is_not_told_of(root: Path, place: str) -> None:
    write(root / "code/inference.py")
    write(root / place)
    assert not open_archive(root).not_run


@pytest.mark.parametrize("place", ["1/code", "code", "."])
def test_packing_says_which_option_takes_it(root: Path, place: str) -> None:
    file = write(root / place / "inference.py")
    [said] = code_left_out(root / "1", None)
    assert said.startswith(f"Warning: {file} is not packed")
    assert said.endswith(f"--code {file.parent}")
    assert not list(code_left_out(root / "1", file.parent))
