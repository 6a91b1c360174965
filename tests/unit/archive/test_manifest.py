"""What was changed, lost or added after packing is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.archive import manifest
from plumbline.errors import ArchiveError
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder with a manifest."""
    (tmp_path / "1" / "variables").mkdir(parents=True)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "1" / "variables" / "variables.index").write_bytes(b"index")
    (tmp_path / "plumbline.toml").write_text("")
    manifest.write(tmp_path)
    return tmp_path


def test_the_manifest_holds_the_sha256_of_every_file(packed: Path) -> None:
    written = json.loads((packed / "manifest.json").read_text())["sha256"]
    assert list(written) == ["1/saved_model.pb", "1/variables/variables.index", "plumbline.toml"]
    assert written["1/saved_model.pb"] == hashlib.sha256(b"graph").hexdigest()


def test_what_was_not_touched_is_right(packed: Path) -> None:
    assert manifest.verify(packed) is True


def test_an_archive_may_lie_among_its_own_files(packed: Path) -> None:
    """As it does where SageMaker's local mode has unpacked it."""
    (packed / "model.tar.gz").write_bytes(b"an archive")
    assert manifest.verify(packed) is True


def test_an_archive_without_a_manifest_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "anything").write_text("x")
    assert manifest.verify(tmp_path) is False


NEIGHBOURS = (
    *("notes.txt", "labels.txt", "train.ipynb", "cats.keras", "cats.h5", "config.json"),
    *("photos/cat.jpg", ".git/config", "other/model.tar.gz", "README", "inference.py"),
)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_neighbour_that_nothing_reads_is_a_warning(
    packed: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SageMaker's local mode mounts the whole folder in which the archive lies."""
    written(packed / name)
    assert manifest.verify(packed) is True
    (record,) = caplog.records
    assert (record.levelname, name in record.getMessage()) == ("WARNING", True)


def test_another_keras_file_beside_one_that_was_packed_may_be_read(tmp_path: Path) -> None:
    written(tmp_path / "cats.keras")
    manifest.write(tmp_path)
    written(tmp_path / "dogs.H5")
    with pytest.raises(ArchiveError, match=r"dogs\.H5 was not packed"):
        manifest.verify(tmp_path)


def written(file: Path) -> None:
    """Write any file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")


CHANGES: dict[str, Callable[[Path], object]] = {
    "1/saved_model.pb was changed": lambda root: (root / "1/saved_model.pb").write_text("grabh"),
    "plumbline.toml is missing": lambda root: (root / "plumbline.toml").unlink(),
    "tuning.json was not packed": lambda root: (root / "tuning.json").write_text("{}"),
    "code/inference.py was not packed": lambda root: written(root / "code/inference.py"),
    "golden/a.png was not packed": lambda root: written(root / "golden/a.png"),
    "2/saved_model.pb was not packed": lambda root: written(root / "2/saved_model.pb"),
    "a/plumbline.toml was not packed": lambda root: written(root / "a/plumbline.toml"),
    "1/more.tar.gz was not packed": lambda root: (root / "1/more.tar.gz").write_text(""),
    "1/more.bin was not packed": lambda root: (root / "1/more.bin").write_text(""),
}


@pytest.mark.parametrize("complaint", CHANGES)
def test_every_change_is_named(packed: Path, complaint: str) -> None:
    CHANGES[complaint](packed)
    with pytest.raises(ArchiveError) as raised:
        manifest.verify(packed)
    assert str(raised.value).startswith(f"manifest.json: {complaint}. The archive was changed")


def test_many_changes_are_counted(packed: Path) -> None:
    for number in range(9):
        (packed / f"1/{number}.txt").write_text("")
    with pytest.raises(ArchiveError, match=r"0\.txt, 1/1\.txt.*4\.txt and 4 more was not packed"):
        manifest.verify(packed)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": []}', "\xff"])
def test_a_damaged_manifest_is_an_error(packed: Path, text: str) -> None:
    (packed / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArchiveError, match=r"manifest\.json is no manifest"):
        manifest.verify(packed)


def test_loading_checks_the_manifest_before_anything_else(packed: Path) -> None:
    (packed / "1/saved_model.pb").write_text("other")
    said: list[str] = []
    with pytest.raises(ArchiveError, match=r"1/saved_model\.pb was changed"):
        load_models(packed, Terms(max_instances=1, cores=1), said.append)
    assert said == []
