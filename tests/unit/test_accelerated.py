"""What an archive says of its accelerated form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plumbline.accelerated import FILE, FOLDER, NETWORK, Accelerated, read, write
from plumbline.errors import ArchiveError
from plumbline.signature import Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("picture", (None, 32, 32, 3), "float32"),),
    (TensorSpec("scores", (None, 10), "float32"), TensorSpec("words", (None,), "string")),
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with an accelerated form."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    found = Accelerated(folder / NETWORK, "1", "serving_default", SIGNATURE, ("bf16", "f32"))
    write(folder, found, [{"precision": "f32"}])
    return tmp_path


def test_what_was_written_is_read_back(archive: Path) -> None:
    expected = Accelerated(
        archive / FOLDER / NETWORK, "1", "serving_default", SIGNATURE, ("bf16", "f32")
    )
    assert read(archive) == expected


def test_an_archive_without_one_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", json.dumps({"model": "1", "signature_name": "x", "inputs": 5})],
)
def test_a_damaged_one_is_named(archive: Path, text: str) -> None:
    (archive / FOLDER / FILE).write_text(text)
    with pytest.raises(ArchiveError) as caught:
        read(archive)
    assert caught.value.message == (
        "accelerated/forms.json is damaged; pack the archive again, or delete accelerated/."
    )


def test_a_precision_that_nobody_knows_is_left_out(archive: Path) -> None:
    file = archive / FOLDER / FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "precisions": ["int3", "bf16"]}))
    found = read(archive)
    assert found is not None
    assert found.precisions == ("bf16",)
