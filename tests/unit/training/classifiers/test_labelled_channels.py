"""Channels of every layout hold the same pictures; what is wrong with them is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelled_layouts import LAYOUTS, digits, flat, folders, job_folder, manifest, records
from plumbline.errors import PlumblineError
from plumbline.spec.model_spec import Preprocess
from plumbline.training import hyperparameters
from plumbline.training.classifiers.hyperparameter_table import TABLE
from plumbline.training.classifiers.labelled_channels import Data, read_data
from plumbline.training.decoded_pictures import DecodedPictures, How
from plumbline.training.job import read_job

TRAIN, VALIDATION = digits(40, 4), digits(12, 4, begin=40)


def read(root: Path, **given: str) -> Data:
    values = hyperparameters.read(TABLE, given)
    (root / "scratch").mkdir()
    return read_data(read_job(root, {}), values, root / "scratch")


def digest(entries: Any) -> str:
    found = DecodedPictures(entries, How(Preprocess(), (8, 8)), 2)
    found.check(0)
    return found.digest


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pictures_in_the_same_order(
    layout: str, tmp_path: Path
) -> None:
    found = read(job_folder(tmp_path / layout, layout, TRAIN, VALIDATION))
    for entries, expected in (
        (found.train.entries, TRAIN),
        (found.validation.entries, VALIDATION),
    ):
        assert [(entry.read(), entry.label) for entry in entries] == list(expected)
    assert len(found.classes) == 4
    other = read(job_folder(tmp_path / "other", "folders", TRAIN, VALIDATION))
    assert digest(found.train.entries) == digest(other.train.entries)


def test_without_a_channel_for_it_a_share_of_each_class_is_validated_on(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "folders", TRAIN, None)
    found = read(root, validation_split="0.25")
    shutil.rmtree(root / "scratch")
    assert len(found.train.entries) + len(found.validation.entries) == len(TRAIN)
    for number in range(4):
        counts = [
            sum(entry.label == number for entry in side.entries)
            for side in (found.train, found.validation)
        ]
        assert counts[1] == max(1, round(0.25 * sum(counts)))
    again = read(root, validation_split="0.25")
    assert again == found
    shutil.rmtree(root / "scratch")
    assert read(root, validation_split="0.25", seed="1") != found


def test_classes_have_the_names_of_their_folders_or_those_that_are_given(tmp_path: Path) -> None:
    named = job_folder(tmp_path / "folders", "folders", TRAIN, VALIDATION)
    assert read(named).classes == ("class 0", "class 1", "class 2", "class 3")
    numbers = job_folder(tmp_path / "rec", "rec", TRAIN, VALIDATION)
    assert read(numbers, class_names="a,b,c,d").classes == ("a", "b", "c", "d")


def test_validation_may_lack_classes_but_has_no_other_numbers(tmp_path: Path) -> None:
    few = [each for each in VALIDATION if each[1] in (1, 3)]
    found = read(job_folder(tmp_path, "folders", TRAIN, few))
    assert [(entry.read(), entry.label) for entry in found.validation.entries] == few


def no_channel(root: Path) -> None:
    (root / "input/data/train").rename(root / "input/data/photos")


def empty_class(root: Path) -> None:
    (root / "input/data/train/nothing").mkdir()


def one_class(root: Path) -> None:
    for number in (1, 2, 3):
        shutil.rmtree(root / f"input/data/train/class {number}")


def two_layouts(root: Path) -> None:
    (root / "input/data/train/train.rec").write_bytes(b"")


def no_layout(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    flat(root, "train", TRAIN)


def other_class(root: Path) -> None:
    folders(root, "validation", [(VALIDATION[0][0], 9)])


def nothing(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    (root / "input/data/train").mkdir()
    (root / "input/data/train/train.rec").write_bytes(b"")


def missing(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    document = {"train": {"TrainingInputMode": "File"}}
    (root / "input/config/inputdataconfig.json").write_text(json.dumps(document))


def manifest_of_texts(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    manifest(root, "train", [(data, "bee") for data, _ in TRAIN])  # type: ignore[misc]


def gap(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    records(root, "train", [each for each in TRAIN if each[1] != 2])


@pytest.mark.parametrize(
    ("spoil", "given", "sentence"),
    [
        (no_channel, {}, "The job has the channels photos, validation and none .* train or train"),
        (empty_class, {}, "The class 'nothing' has no pictures: train/nothing is empty"),
        (one_class, {}, "The training data has one class only"),
        (two_layouts, {}, r"RecordIO files \(.rec\) \(train.rec\) and a folder .*; keep one"),
        (no_layout, {}, "The channel train holds no labelled pictures. It has to hold one of"),
        (other_class, {}, "The channel validation has the class 'class 9', which the training"),
        (nothing, {}, "train.rec is empty; copy it again"),
        (missing, {}, "The channel train has no data: .* is not there"),
        (manifest_of_texts, {}, "output.manifest, line 1 has the label 'bee'; a class is a whole"),
        (gap, {}, "The training data has no picture of 1 of 4 classes: 2"),
        (lambda _: None, {"num_classes": "3"}, "num_classes is 3, and the training data has 4"),
        (lambda _: None, {"multi_label": "1"}, "has a folder a class, so each picture has one"),
        (lambda _: None, {"class_names": "a,b"}, "class_names has 2 names, and the data has 4"),
    ],
)
def test_what_is_wrong_is_said(
    spoil: Callable[[Path], None], given: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    root = job_folder(tmp_path, "folders", TRAIN, VALIDATION)
    spoil(root)
    with pytest.raises(PlumblineError, match=f"(?i){sentence}"):
        read(root, **given)
