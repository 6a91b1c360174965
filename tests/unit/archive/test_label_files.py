"""Labels out of the files that people keep them in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from plumbline.archive.contents import open_archive
from plumbline.archive.label_files import read
from plumbline.errors import ArchiveError
from plumbline.spec.labels import NumberedLabels

LABEL_MAP = """\
# from the training pipeline
item {
  name: "/m/01g317"
  id: 1
  display_name: "person"
}
item { id: 3 name: 'dog\\'s' keypoints { id: 0 label: "nose" } }
"""


def test_a_label_map_has_numbers_of_its_own() -> None:
    labels = read(LABEL_MAP, "label_map.pbtxt")
    assert isinstance(labels, NumberedLabels)
    assert labels.by_class() == {1: "person", 3: "dog's"}


def as_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


NUMBERED = {
    "class_indices": json.dumps({"bee, honey": 1, "cat": 0, "dog": 2}, indent=2),
    "numbers first": json.dumps({"2": "dog", "0": "cat", "1": "bee, honey"}),
    "as keras.applications": json.dumps(
        {"0": ["n1", "cat"], "1": ["n2", "bee, honey"], "2": ["n3", "dog"]}
    ),
    "csv": as_csv([["id", "label"], ["2", "dog"], ["1", "bee, honey"], ["0", "cat"]]),
    "csv without a head": as_csv([["cat", "0"], ["bee, honey", "1"], ["dog", "2"]]),
    "csv with semicolons": as_csv([["0", "cat"], ["1", "bee, honey"], ["2", "dog"]], ";"),
    "csv of three columns": as_csv(
        [["x", "class_id", "name"], ["7", "0", "cat"], ["8", "1", "bee, honey"], ["9", "2", "dog"]]
    ),
    "teachable machine": "0 cat\n1 bee, honey\n2 dog\n",
}


@pytest.mark.parametrize("text", NUMBERED.values(), ids=NUMBERED)
def test_numbers_are_the_files_own(text: str) -> None:
    labels = read(text, "labels")
    assert isinstance(labels, NumberedLabels)
    assert labels.by_class() == {0: "cat", 1: "bee, honey", 2: "dog"}


PLAIN = {
    "lines": ("cat\ndog\n", ("cat", "dog")),
    "an empty last line": ("cat\r\ndog\r\n\r\n \n", ("cat", "dog")),
    "a json list": ('["cat", "dog"]', ("cat", "dog")),
    "digits": ("0\n1\n2\n", ("0", "1", "2")),
    "ImageNet's": ("tench, Tinca tinca\ngoldfish, Carassius\n", None),
    "counts": ("1 person\n2 persons\n3 persons\n", None),
    "a gap": ("cat\n\ndog", ("cat", "", "dog")),
}


@pytest.mark.parametrize(("text", "labels"), PLAIN.values(), ids=PLAIN)
def test_lines_are_in_the_order_of_the_classes(text: str, labels: tuple[str, ...] | None) -> None:
    found = read(text, "labels.txt")
    assert not isinstance(found, NumberedLabels)
    assert found == (labels or tuple(text.splitlines()))


REFUSED = {
    "yaml": ("nc: 2\nnames:\n  0: cat\n  1: dog\n", "it is YAML"),
    "yaml list": ("names: ['cat', 'dog']\n", "it is YAML"),
    "html": ("<!doctype html>\n<title>404</title>", "it is HTML or XML"),
    "python": ("{0: 'tench', 1: 'goldfish'}", "it begins like JSON, and is none"),
    "numbers": ("[1, 2]", "its JSON is of another form"),
    "twice": ('{"cat": 1, "dog": 1}', "two labels have the same number"),
    "no id": ('item { name: "cat" }', "an item of the label map has no id"),
    "open item": ('item { id: 1 name: "cat" }\nitem { id: 2 name: "dog"', "is not closed"),
    "empty": ("\n\n", "it is empty"),
    "lfs": ("version https://git-lfs.github.com/spec/v1\noid 1\n", "a Git LFS pointer"),
    "wide": ("1,a,b\n2,c,d\n", "no head says which column holds the labels"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_of_no_known_form_is_refused_with_the_forms(text: str, why: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        read(text, "labels.txt")
    assert caught.value.message.startswith("The labels in labels.txt can't be read: ")
    assert why in caught.value.message
    assert "Labels are read from a text file with one label a line" in caught.value.message


def test_an_archives_labels_are_read_this_way(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    (tmp_path / "plumbline.toml").write_text('labels = "map.pbtxt"')
    (tmp_path / "map.pbtxt").write_text(LABEL_MAP)
    labels = open_archive(tmp_path).labels
    assert isinstance(labels, NumberedLabels)
    assert labels.class_ids == (1, 3)
