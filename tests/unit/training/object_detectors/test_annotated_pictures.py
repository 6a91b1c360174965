"""Channels of every layout hold the same pictures and boxes; what is wrong with them is said."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelled_layouts
from boxed_layouts import LAYOUTS, NAMED, NAMES, job_folder, photos, records
from plumbline.errors import PlumblineError
from plumbline.training import hyperparameters, recipes
from plumbline.training.job import read_job
from plumbline.training.object_detectors import detection_run
from plumbline.training.object_detectors.annotated_pictures import Data, Entries, read_data
from plumbline.training.object_detectors.detection_table import TABLE
from plumbline.training.recipe_process import RECIPES
from plumbline.training.stopping import Stop

TRAIN, VALIDATION = photos(12), photos(6, seed=1)


def read(root: Path, **given: str) -> Data:
    shutil.rmtree(root / "scratch", ignore_errors=True)
    (root / "scratch").mkdir()
    return read_data(read_job(root, {}), hyperparameters.read(TABLE, given), root / "scratch")


def rows(entries: Entries, sizes: Any) -> list[np.ndarray]:
    """Rows of class and corners in pixels."""
    found = []
    for entry, size in zip(entries, sizes, strict=True):
        label = entry.label
        scale = np.tile(size, 2) if label.relative else np.ones(4)
        corners = np.array(label.corners).reshape(-1, 4) * scale
        found.append(np.column_stack([label.class_ids, corners]))
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pictures_and_boxes(layout: str, tmp_path: Path) -> None:
    found = read(job_folder(tmp_path, layout, TRAIN, VALIDATION))
    for entries, expected in ((found.train, TRAIN), (found.validation, VALIDATION)):
        assert [entry.read() for entry in entries] == [each.data for each in expected]
        for one, other in zip(
            rows(entries, [each.size for each in expected]), expected, strict=True
        ):
            np.testing.assert_allclose(one, other.corners, atol=1e-4)
    assert found.classes == (NAMES if layout in NAMED else ("0", "1"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_job_is_known_by_its_boxes(layout: str, tmp_path: Path) -> None:
    root = job_folder(tmp_path, layout, TRAIN, None)
    if "pipe" in layout:  # what a pipe holds can't be looked at
        (root / "input/config/hyperparameters.json").write_text('{"nms_threshold": "0.45"}')
    assert recipes.choose(read_job(root, {}), RECIPES).name == "detection"


@pytest.mark.parametrize("layout", labelled_layouts.LAYOUTS)
def test_pictures_with_classes_are_not_taken_for_boxes(layout: str, tmp_path: Path) -> None:
    pictures = labelled_layouts.digits(8, 2)
    root = labelled_layouts.job_folder(tmp_path, layout, pictures, None)
    assert recipes.choose(read_job(root, {}), RECIPES).name == "classification"


def test_channels_that_could_be_either_are_told(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "rec", TRAIN, None)
    labelled_layouts.folders(root, "train", labelled_layouts.digits(8, 2))
    with pytest.raises(
        PlumblineError,
        match=r"may be for classification \(folders .*\) and detection \(train.rec has labels of b",
    ):
        recipes.choose(read_job(root, {}), RECIPES)


def test_without_a_channel_for_it_a_share_is_validated_on(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "manifest", TRAIN, None)
    found = read(root, validation_split="0.25")
    assert (len(found.train), len(found.validation)) == (9, 3)
    assert {entry.name for entry in (*found.train, *found.validation)} == {
        f"s3://bucket/some/where/{number:05}.{'png' if number % 2 else 'jpg'}"
        for number in range(len(TRAIN))
    }
    assert read(root, validation_split="0.25") == found
    assert read(root, validation_split="0.25", seed="1") != found


def test_classes_are_as_many_as_are_declared(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "rec", TRAIN, None)
    assert read(root, num_classes="3").classes == ("0", "1", "2")
    assert read(root, class_names="a,b").classes == ("a", "b")


def faults(data: Data) -> list[str]:
    """What is wrong with pictures one by one."""
    return [entry.fault for entry in (*data.train, *data.validation) if entry.fault]


def test_a_box_of_an_unknown_class_is_a_fault_of_its_picture(tmp_path: Path) -> None:
    root = job_folder(tmp_path, "rec", TRAIN, None)
    wrong = [number for number, each in enumerate(TRAIN) if each.corners[:, 0].max() == 1]
    found = faults(read(root, num_classes="1"))
    assert len(found) == len(wrong)
    assert "is of the class 1, and there are 1 classes, counted from 0" in found[0]


def test_pictures_without_annotations_and_annotations_without_pictures_are_bad(
    tmp_path: Path,
) -> None:
    root = job_folder(tmp_path, "json files", TRAIN, VALIDATION)
    (root / "input/data/train_annotation/00003.json").unlink()
    (root / "input/data/train/00005.png").unlink()
    found = read(root).train
    assert len(found) == len(TRAIN)
    assert {each.name: each.fault for each in found if each.fault} == {
        "00003.png": "there is no annotation of it",
        "some/where/00005.png": "is not in train, as 00005.json has it.",
    }


def test_of_a_manifest_a_few_pictures_may_lack_and_a_few_may_have_no_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = job_folder(tmp_path, "manifest", TRAIN, VALIDATION)
    line(root, shapes=None, **{"shapes-metadata": {"failure-reason": "nobody came"}})
    (root / "input/data/train_pictures/00005.png").unlink()
    told = (
        r"s3://bucket/some/where/00000.jpg.* output.manifest, line 1: there is no label 'shapes'",
        r"s3://bucket/some/where/00005.png.* is not in the channel 'train_pictures', as .* line 6",
    )
    values = hyperparameters.read(TABLE, {"size": "64", "label_attribute": "shapes"})
    with pytest.raises(PlumblineError, match="2 of 12 pictures can't be used") as caught:
        detection_run.begun(read_job(root, {}), Stop(), values, tmp_path)
    assert all(re.search(each, caught.value.message) for each in told)
    assert "(nobody came)" in caught.value.message

    values = hyperparameters.read(TABLE, {"size": "64", "max_bad": "0.2"})
    run = detection_run.begun(read_job(root, {}), Stop(), values, tmp_path)
    assert len(run.train.entries) == 10
    said = capsys.readouterr().out
    assert all(re.search(f"Warning: {each}", said) for each in told[1:])


def line(root: Path, **changes: Any) -> None:
    """The first line of the training manifest with other values; None removes one."""
    file = root / "input/data/train/output.manifest"
    first, *others = file.read_text().splitlines()
    found = {**json.loads(first), **changes}
    found = {key: value for key, value in found.items() if value is not None}
    file.write_text("\n".join([json.dumps(found), *others]))


def no_json(root: Path) -> None:
    file = root / "input/data/train/output.manifest"
    file.write_text(file.read_text() + "{bad")


def box(**changes: Any) -> Callable[[Path], None]:
    """A box with other values."""

    def spoil(root: Path) -> None:
        whole = {"class_id": 0, "left": 1, "top": 1, "width": 9, "height": 9, **changes}
        line(root, shapes={"annotations": [whole]})

    return spoil


def two_layouts(root: Path) -> None:
    shutil.move(root / "input/data/train", root / "input/data/kept")
    records(root, "train", TRAIN)
    shutil.copy(root / "input/data/kept/output.manifest", root / "input/data/train")


def classes_alone(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    labelled_layouts.records(root, "train", labelled_layouts.digits(4, 2))


def no_boxes(root: Path) -> None:
    for name in ("train", "validation"):
        shutil.rmtree(root / f"input/data/{name}")
        records(root, name, [each._replace(boxes=()) for each in TRAIN])


def no_bbox(root: Path) -> None:
    shutil.rmtree(root / "input/data/train")
    LAYOUTS["document"](root, "train", TRAIN)
    file = root / "input/data/training/annotations.json"
    found = json.loads(file.read_text())
    found["annotations"][1]["bbox"] = "1,2,3,4"
    file.write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("spoil", "given", "sentence"),
    [
        (no_json, {}, "output.manifest, line 13 is not JSON"),
        (lambda root: line(root, **{"source-ref": None}), {}, "line 1 has no 'source-ref'"),
        (
            lambda _: None,
            {"label_attribute": "bees"},
            "line 1: there is no label 'bees'; there is shapes",
        ),
        (lambda root: line(root, shapes="bees"), {}, "line 1: 'shapes': the boxes are a text .'b"),
        (
            lambda root: line(root, shapes={"annotations": "[1, 2]"}),
            {},
            r"the boxes are a text \('\[1, 2\]'\); they have to be like",
        ),
        (box(left="5"), {}, "'shapes', box 1: its left is a text .'5'.; it has to be a number of"),
        (box(class_id=0.5), {}, "box 1: its class_id is a number .'0.5'.; it has to be a whole"),
        (box(width=None), {}, "box 1: its width is nothing"),
        (two_layouts, {}, r"The channel train holds RecordIO.* and an augmented manifest .*It has"),
        (classes_alone, {}, "has the label 0, which is no list of boxes: 2, 5, and for each"),
        (no_boxes, {}, "There is no box in all of the data"),
        (no_bbox, {}, "annotations.json, annotation 2: its bbox is a text .'1,2,3,4'"),
        (lambda _: None, {"num_classes": "1"}, "num_classes is 1, and the data names 2 classes"),
        (lambda _: None, {"class_names": "a"}, "class_names has 1 names, and the data has 2"),
    ],
)
def test_what_is_wrong_is_said(
    spoil: Callable[[Path], None], given: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    root = job_folder(tmp_path, "manifest", TRAIN, VALIDATION)
    spoil(root)
    with pytest.raises(PlumblineError, match=sentence):
        read(root, **given)


@pytest.mark.parametrize("allowed", ["0.3", "0.01"])
def test_pictures_with_boxes_that_can_not_be_are_left_out_or_fail_the_job(
    allowed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = job_folder(tmp_path, "json files", TRAIN, VALIDATION)
    files = sorted((root / "input/data/train_annotation").glob("*.json"))
    for file, change in zip(files, ({"left": 300}, {"width": 0}, {"class_id": 7}), strict=False):
        found = json.loads(file.read_text())
        found["annotations"][0].update(change)
        file.write_text(json.dumps(found))
    told = ("reaches out of the picture", "has no size", "is of the class 7")
    values = hyperparameters.read(TABLE, {"max_bad": allowed, "size": "64"})
    if allowed == "0.01":
        with pytest.raises(PlumblineError, match="3 of 12 pictures can't be used") as caught:
            detection_run.begun(read_job(root, {}), Stop(), values, tmp_path)
        assert all(each in caught.value.message for each in told)
        return
    run = detection_run.begun(read_job(root, {}), Stop(), values, tmp_path)
    assert len(run.train.entries) == 9
    said = capsys.readouterr().out
    for each in told:
        assert re.search(f"Warning: .*0000.* is left out of the training data: .*{each}", said)
