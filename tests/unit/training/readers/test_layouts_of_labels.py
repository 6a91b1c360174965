"""Folders, lists and manifests: the pictures in their order, and a sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline.training.errors import DataError
from plumbline.training.readers import augmented_manifest, class_folders, listings


def tree(root: Path, *paths: str) -> Path:
    """Files of these paths, each holding its own."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    return root


def test_a_folder_is_read_as_keras_reads_it(tmp_path: Path) -> None:
    """`keras.utils.image_dataset_from_directory`: sorted, however deep, without hidden files."""
    paths = ("bee/2.jpg", "bee/10.JPG", "bee/deep/1.png", "ant/a.bmp")
    tree(tmp_path, *paths, "bee/.hidden.jpg", "bee/notes.txt", ".git/x.jpg", "bee-manifest")
    found = class_folders.read_folder(tmp_path)
    assert found.classes == ("ant", "bee")
    assert [(entry.name, entry.label) for entry in found.entries] == [
        ("ant/a.bmp", 0),
        ("bee/10.JPG", 1),
        ("bee/2.jpg", 1),
        ("bee/deep/1.png", 1),
    ]
    assert found.entries[0].read() == b"ant/a.bmp"


def test_folders_without_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no folders"):
        class_folders.read_folder(tmp_path)
    tree(tmp_path, "ant/a.jpg", "bee/readme.txt")
    with pytest.raises(DataError, match="The class 'bee' has no pictures"):
        class_folders.read_folder(tmp_path)


def test_a_listing_of_im2rec(tmp_path: Path) -> None:
    tree(tmp_path, "a/one.jpg", "b/two three.jpg")
    listing = tmp_path / "train.lst"
    listing.write_text("\ufeff5\t1.000000\ta/one.jpg\n\n7\t1\t0\t1\tb/two three.jpg\r\n", "utf-8")
    one, two = listings.read_file(listing, tmp_path)
    assert (one.name, one.label, one.read()) == ("a/one.jpg", (1.0,), b"a/one.jpg")
    assert (two.label, two.read()) == ((1.0, 0.0, 1.0), b"b/two three.jpg")


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        "commas": ("0,1,a.jpg", r"^train\.lst, line 1: '0,1,a\.jpg' is not a number, the class"),
        "two columns": ("1\ta.jpg", "line 1: .* is not a number, the class"),
        "a name for a class": (
            "0\t1\ta.jpg\n1\tcat\ta.jpg",
            "line 2: the label 'cat' is no number",
        ),
        "a path upwards": ("0\t1\t../../etc/passwd", "leads out of its channel"),
        "no path": ("0\t1\t", "line 1: the path '' leads out"),
    }.values(),
)
def test_lines_that_are_wrong_are_named(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "train.lst").write_text(text)
    with pytest.raises(DataError, match=sentence):
        listings.read_file(tmp_path / "train.lst", tmp_path)


def test_a_listing_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.lst").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"train\.lst is not UTF-8 text"):
        listings.read_file(tmp_path / "train.lst", tmp_path)
    with pytest.raises(DataError, match=r"other\.lst can't be read: No such file"):
        listings.read_file(tmp_path / "other.lst", tmp_path)


def rows(*lines: Any) -> str:
    """A manifest of these lines."""
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)


def test_a_manifest_of_ground_truth_finds_its_pictures(tmp_path: Path) -> None:
    """The longest path that the address ends with counts: `a/1.jpg` is not `b/1.jpg`."""
    tree(tmp_path, "a/1.jpg", "b/1.jpg", "1.jpg")
    text = rows(
        {
            "source-ref": "s3://bucket/some/prefix/a/1.jpg",
            "bees": 0,
            "bees-metadata": {"class-name": "honey bee", "job-name": "labeling-job/bees"},
        },
        "",
        {"source-ref": "s3://bucket/1.jpg", "bees": 1, "bees-metadata": "?"},
    )
    one, two = augmented_manifest.entries(
        augmented_manifest.lines(text, "train.manifest"), tmp_path
    )
    assert (one.read(), one.label.label, one.label.attribute) == (b"a/1.jpg", 0, "bees")
    assert one.label.metadata["class-name"] == "honey bee"
    assert (two.read(), two.label.where, two.label.metadata) == (
        b"1.jpg",
        "train.manifest, line 3",
        {},
    )


def test_of_several_attributes_one_is_chosen_by_name(tmp_path: Path) -> None:
    text = rows({"source-ref": "s3://b/1.jpg", "bees": 0, "wasps": 1})
    [line] = augmented_manifest.lines(text, "train.manifest", "wasps")
    assert line.label == 1
    with pytest.raises(DataError, match=r"several label attributes \(bees, wasps\); name one"):
        list(augmented_manifest.lines(text, "train.manifest"))


@pytest.mark.parametrize(
    ("row", "sentence"),
    {
        "no JSON": ("source-ref: a.jpg", r"^train\.manifest, line 1 is not JSON"),
        "a list": ([1], "has no 'source-ref'"),
        "no address": ({"bees": 1}, "has no 'source-ref', the address of its picture"),
        "no label": ({"source-ref": "s3://b/1.jpg", "x-metadata": {}}, "line 1: there is no label"),
        "another job's": (
            {"source-ref": "s3://b/1.jpg", "ants": 1},
            "there is no label 'bees'; there is ants. Nor has any other line",
        ),
    }.values(),
)
def test_lines_of_a_manifest_that_are_wrong_are_named(
    row: Any, sentence: str, tmp_path: Path
) -> None:
    attribute = "bees" if "bees" in sentence else None
    with pytest.raises(DataError, match=sentence):
        augmented_manifest.lines(rows(row), "train.manifest", attribute)


def test_lines_without_a_label_or_a_picture_are_faults_of_their_own(tmp_path: Path) -> None:
    tree(tmp_path, "1.jpg", "3.jpg")
    text = rows(
        {"source-ref": "s3://b/1.jpg", "bees": 1},
        {"source-ref": "s3://b/2.jpg", "bees": 1},
        {"source-ref": "s3://b/3.jpg", "bees-metadata": {"failure-reason": "too dark"}},
    )
    found = list(
        augmented_manifest.entries(
            augmented_manifest.lines(text, "train.manifest", "bees"), tmp_path
        )
    )
    assert [entry.fault for entry in found] == [
        "",
        f"is not in the channel {tmp_path.name!r}, as train.manifest, line 2 has it.",
        "train.manifest, line 3: there is no label 'bees' (too dark); there is none.",
    ]
    with pytest.raises(DataError, match=r"^is not in the channel"):
        found[1].read()
