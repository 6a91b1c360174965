"""Folder → the declaration, the labels and the golden pictures in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plumbline.archive.contents import GoldenPicture, open_archive
from plumbline.errors import ArchiveError, SpecError
from plumbline.spec.model_spec import ModelSpec


def lay(root: Path, *files: str) -> Path:
    for name in files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return root


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path / "model")
    assert caught.value.message == f"There is no model folder {tmp_path / 'model'}."


def test_without_a_declaration_everything_is_at_its_default(tmp_path: Path) -> None:
    archive = open_archive(lay(tmp_path, "digits.keras"))
    assert (archive.spec, archive.labels, archive.goldens) == (ModelSpec(), None, ())


def test_a_wrong_declaration_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras")
    (tmp_path / "plumbline.toml").write_text("task = 1")
    with pytest.raises(SpecError):
        open_archive(tmp_path)


def test_a_declaration_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plumbline.toml").write_bytes(b"task = '\xff'")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert caught.value.message == "plumbline.toml can't be read as UTF-8 text; save it as that."


@pytest.mark.parametrize(
    "text",
    [b"cat\ndog\n", b"cat\r\ndog", b"\xef\xbb\xbfcat\r\ndog\r\n"],
    ids=["unix", "windows", "byte order mark"],
)
def test_labels_are_read_from_their_file(text: bytes, tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras")
    (tmp_path / "plumbline.toml").write_text('labels = "labels.txt"')
    (tmp_path / "labels.txt").write_bytes(text)
    assert open_archive(tmp_path).labels == ("cat", "dog")


def test_labels_may_stand_in_the_declaration(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras")
    (tmp_path / "plumbline.toml").write_bytes(b'\xef\xbb\xbflabels = ["cat", "dog"]')
    assert open_archive(tmp_path).labels == ("cat", "dog")


def test_a_file_of_labels_that_is_not_there_is_an_error_that_lists_what_is(
    tmp_path: Path,
) -> None:
    lay(tmp_path, "digits.keras", "label.txt")
    (tmp_path / "plumbline.toml").write_text('labels = "labels.txt"')
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    message = caught.value.message
    assert message.startswith("plumbline.toml: labels = 'labels.txt', but there is no such file.\n")
    assert "label.txt" in message.partition("\n")[2]


def test_golden_pictures_come_sorted_with_their_outputs(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras", "golden/b.png", "golden/a.jpg")
    (tmp_path / "golden/a.jpg").write_bytes(b"bytes")
    np.savez(tmp_path / "golden/a.jpg.npz", scores=np.array([0.25, 0.75]))
    np.savez(tmp_path / "golden/b.png.npz", scores=np.array([1.0, 0.0]))
    first, second = open_archive(tmp_path).goldens
    assert isinstance(first, GoldenPicture)
    assert (first.name, first.picture, second.name) == ("a.jpg", b"bytes", "b.png")
    np.testing.assert_array_equal(first.expected["scores"], [0.25, 0.75])


def test_a_golden_picture_without_outputs_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras", "golden/a.png")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert caught.value.message == (
        "golden/a.png has no expected outputs (a.png.npz): plumbline pack --golden writes them, or "
        "delete the picture."
    )


def test_golden_outputs_without_a_picture_are_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras", "golden/a.png.npz")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert caught.value.message == (
        "golden/a.png.npz has no picture beside it: put it there, or delete the .npz."
    )


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"not a zip"])
def test_damaged_golden_outputs_are_an_error(damage: bytes, tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras", "golden/a.png")
    (tmp_path / "golden/a.png.npz").write_bytes(damage)
    with pytest.raises(ArchiveError, match=r"^golden/a\.png\.npz is damaged or not whole: "):
        open_archive(tmp_path)


def test_golden_outputs_are_never_unpickled(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras", "golden/a.png")
    np.savez(tmp_path / "golden/a.png.npz", scores=np.array([{"a": 1}], object))
    with pytest.raises(ArchiveError, match=r"^golden/a\.png\.npz holds Python objects"):
        open_archive(tmp_path)


def test_golden_outputs_without_an_array_are_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "digits.keras", "golden/a.png")
    np.savez(tmp_path / "golden/a.png.npz")
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path)
    assert caught.value.message == (
        "golden/a.png.npz holds no expected outputs: np.savez(file, output=array) writes them, and "
        "plumbline pack --golden computes them."
    )


# --- several models ---------------------------------------------------------------------------

THREE = ("bees/2", "bees/10", "cats/1")


def several(root: Path, *specs: str) -> Path:
    """Three models, and golden pictures for the default; `specs` are folders with a declaration."""
    for place in THREE:
        lay(root, f"{place}/saved_model.pb")
    for place in specs:
        (root / place / "plumbline.toml").write_text('labels = "labels.txt"')
        (root / place / "labels.txt").write_text(place)
    for place in (".", "cats"):
        lay(root, f"{place}/golden/0.png")
        np.savez(root / place / "golden" / "0.png.npz", scores=np.zeros(2))
    return root


def test_each_of_several_models_is_an_archive_by_itself(tmp_path: Path) -> None:
    archive = open_archive(several(tmp_path, ".", "cats"))
    ten, two, cats = archive.singly()
    assert [f"{each.model.name}/{each.model.version}" for each in (ten, two, cats)] == [
        "bees/10",
        "bees/2",
        "cats/1",
    ]
    assert [each.labels for each in (ten, two, cats)] == [(".",), (".",), ("cats",)]
    assert [len(each.goldens) for each in (ten, two, cats)] == [1, 0, 1]
    assert [each.root for each in (ten, two, cats)] == [tmp_path, tmp_path, tmp_path / "cats"]


def test_a_declaration_of_one_of_several_models_needs_none_at_the_top(tmp_path: Path) -> None:
    archive = open_archive(several(tmp_path, "cats"))
    assert archive.spec == ModelSpec()
    assert [each.labels for each in archive.singly()] == [None, None, ("cats",)]


def test_the_default_of_several_is_chosen_by_its_name(tmp_path: Path) -> None:
    archive = open_archive(several(tmp_path), "cats")
    assert (archive.model.name, archive.model.version) == ("cats", 1)
    assert [len(each.goldens) for each in archive.singly()] == [1, 0, 0]
    with pytest.raises(ArchiveError) as caught:
        open_archive(tmp_path, "dogs")
    assert caught.value.message == (
        "The archive has no model 'dogs' to answer where none is named; it has bees, cats. "
        "SAGEMAKER_TFS_DEFAULT_MODEL_NAME can be one of these."
    )
