"""The augmented manifest: what people labelled, read, split and written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from augmented_manifest import Annotation, ManifestError, load, manifest_line, read, save
from ground_truth import main, split, write_scenes
from scenes import INK, Scene

BEES = (
    '{"source-ref": "s3://bees/{}.jpg", "bees-500": {"image_size": [{"width": 1280, "height": 720, '
    '"depth": 3}], "annotations": [{"class_id": 0, "top": 263, "left": 614, "height": 112, '
    '"width": 133}]}, "bees-500-metadata": {"objects": [{"confidence": 0.09}], "class-map": {"0": '
    '"bee"}, "type": "groundtruth/object-detection", "human-annotated": "yes", "creation-date": '
    '"2018-11-17T00:23:25.885000", "job-name": "labeling-job/bees-500"}}'
)
"""A line of a public manifest of bees, but for the photo's name."""


def bee(number: int) -> str:
    """A line for one of the photos."""
    return BEES.replace("{}", str(number))


def altered(**changes: Any) -> str:
    """A line whose labels have other values."""
    document = json.loads(bee(0))
    document["bees-500"] |= changes
    return json.dumps(document)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """500 labelled photos."""
    return save(map(bee, range(500)), tmp_path / "output.manifest")


def sources(file: Path) -> list[str]:
    """The photos that a manifest names."""
    return [json.loads(line)["source-ref"] for line in file.read_text().splitlines()]


def test_a_line_of_ground_truth_is_read() -> None:
    [photo] = read(bee(7)).photos

    assert photo.source == "s3://bees/7.jpg"
    assert photo.size == (1280, 720)
    assert photo.annotations == (Annotation(class_id=0, left=614, top=263, width=133, height=112),)
    assert photo.class_map == {0: "bee"}


def test_500_photos_become_400_to_learn_from_and_100_to_check_with(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["split", str(manifest), "--out", str(tmp_path / "parts")])
    train, validation = (
        (tmp_path / "parts" / f"{name}.manifest").read_text().splitlines()
        for name in ("train", "validation")
    )

    assert (len(train), len(validation)) == (400, 100)
    assert sorted(train + validation) == sorted(map(bee, range(500)))
    assert train != sorted(train, key=lambda line: json.loads(line)["source-ref"])
    assert "train.manifest: 400 lines with 400 boxes." in capsys.readouterr().out


def test_the_split_is_the_same_every_time_and_another_with_another_seed() -> None:
    photos = read("\n".join(map(bee, range(50)))).photos

    assert split(photos) == split(photos)
    assert split(photos) != split(photos, seed=1)


@given(
    numbers=st.lists(st.integers(0, 40), min_size=2, max_size=80).filter(lambda x: len({*x}) > 1),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_no_photo_is_lost_or_checked_with_what_was_learnt_from(
    numbers: list[int], share: float, seed: int
) -> None:
    photos = read("\n".join(map(bee, numbers))).photos
    count = round(share * len({*numbers}))
    if not 0 < count < len({*numbers}):
        with pytest.raises(ManifestError, match="too few"):
            split(photos, share, seed)
        return

    train, validation = split(photos, share, seed)

    learnt, checked = ({photo.source for photo in part} for part in (train, validation))
    assert len(learnt) == count
    assert learnt.isdisjoint(checked)
    assert sorted([*train, *validation], key=id) == sorted(photos, key=id)


def test_lines_that_name_a_photo_again_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(map(bee, [0, 1, 2, 0, 3, 0]), tmp_path / "output.manifest")

    main(["split", str(file), "--out", str(tmp_path), "--share", "0.5"])

    assert "2 lines name a photo once more" in capsys.readouterr().out
    parts = [sources(tmp_path / f"{name}.manifest") for name in ("train", "validation")]
    assert sorted(part.count("s3://bees/0.jpg") for part in parts) == [0, 3]


DAMAGED: dict[str, str] = {
    '{"source-ref": "s3://bees/1.jpg", ': "it is not JSON",
    "[" * 100_000: "it is not JSON",
    "[1, 2]": "it is not a JSON object",
    bee(1).replace("source-ref", "source"): "'source-ref' names no photo: None",
    bee(1).replace('"s3://bees/1.jpg"', "17"): "'source-ref' names no photo: 17",
    '{"source-ref": "a.jpg"}': "there are no labels of 'bees-500': nobody labelled the photo",
    '{"source-ref": "a.jpg", "bees-500-metadata": {"failure-reason": "Too large."}}': (
        "there are no labels of 'bees-500': Too large."
    ),
    '{"source-ref": "a.jpg", "bees-500-metadata": 1}': "'bees-500-metadata' is no object: 1",
    altered(image_size=[]): "'image_size' has no width and height: []",
    altered(image_size=[{"width": 0, "height": 9}]): "'image_size' has no width and height",
    altered(image_size=[{"width": True, "height": 9}]): "'image_size' has no width and height",
    altered(annotations=None): "'annotations' is no list: None",
    altered(annotations=[5]): "annotation 1 is no box of a class: 5",
    altered(annotations=[{"class_id": 0, "left": 1, "top": 1, "width": 1}]): "annotation 1 is no",
    bee(1).replace("614", "NaN"): "annotation 1 is no box of a class",
    bee(1).replace("614", "1e999"): "annotation 1 is no box of a class",
    bee(1).replace("133", "-133"): "annotation 1 is no box of a class",
    bee(1).replace("614", "9" * 1000): "annotation 1 is no box of a class",
    bee(1).replace('"class_id": 0', '"class_id": "0"'): "annotation 1 is no box of a class",
    bee(1).replace('{"0": "bee"}', '{"bee": 0}'): "'class-map' does not name classes by number",
    bee(1).replace('{"0": "bee"}', "7"): "'class-map' does not name classes by number: 7",
}
"""Lines, and what is said of them."""


@pytest.mark.parametrize(("line", "said"), DAMAGED.items(), ids=range(len(DAMAGED)))
def test_a_damaged_line_is_named_by_its_number(line: str, said: str) -> None:
    photos, damaged = read(f"{bee(0)}\n\n{line}\n{bee(2)}\n")

    assert [photo.source for photo in photos] == ["s3://bees/0.jpg", "s3://bees/2.jpg"]
    assert list(damaged) == [3]
    assert damaged[3].startswith(said)
    assert len(damaged[3]) < 300


def test_damaged_lines_end_the_split_unless_they_are_to_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [*map(bee, range(5)), "{", "[]"]
    file = save(lines, tmp_path / "output.manifest")
    order = ["split", str(file), "--out", str(tmp_path / "parts")]

    with pytest.raises(SystemExit) as ended:
        main(order)

    assert not (tmp_path / "parts").exists()
    said = str(ended.value)
    assert "2 lines of" in said
    assert "  line 6: it is not JSON" in said
    assert "  line 7: it is not a JSON object\nMend them" in said

    main([*order, "--skip-damaged"])
    assert "line 7: it is not a JSON object\nThey are left out." in capsys.readouterr().out
    assert len(sources(tmp_path / "parts" / "train.manifest")) == 4


def test_a_photo_with_nothing_on_it_is_a_photo() -> None:
    [photo] = read(altered(annotations=[])).photos

    assert photo.annotations == ()


@pytest.mark.parametrize("end", ["\r\n", "\n\n", "\n"])
def test_lines_of_other_systems_are_read(end: str, tmp_path: Path) -> None:
    file = tmp_path / "output.manifest"
    file.write_bytes(b"\xef\xbb\xbf" + end.join([bee(0), bee(1)]).encode())

    assert [photo.line for photo in load(file).photos] == [bee(0), bee(1)]


def test_a_line_may_hold_what_other_texts_break_lines_at() -> None:
    [photo] = read(bee(0).replace("s3://bees/0.jpg", "s3://bees/0\u2028\x85.jpg")).photos

    assert photo.source == "s3://bees/0\u2028\x85.jpg"


def test_of_several_jobs_one_is_to_be_named() -> None:
    document = json.loads(bee(0))
    document["wasps"] = {**document["bees-500"], "annotations": []}
    text = f"{json.dumps(document)}\n{bee(1)}"

    with pytest.raises(ManifestError, match="'bees-500' on 2 lines, 'wasps' on 1 lines; name one"):
        read(text)
    assert [len(photo.annotations) for photo in read(text, "bees-500").photos] == [1, 1]
    assert [len(photo.annotations) for photo in read(text, "wasps").photos] == [0]
    with pytest.raises(ManifestError, match="no job 'ants' has boxes"):
        read(text, "ants")


@pytest.mark.parametrize("text", ["", "\n\n", "{", '{"source-ref": "a.jpg"}'])
def test_a_manifest_without_boxes_is_refused_with_what_a_line_looks_like(text: str) -> None:
    with pytest.raises(ManifestError, match=r"no line has boxes.*\"image_size\""):
        read(text)


UNUSABLE: dict[str, Callable[[Path], list[str]]] = {
    "can't be read": lambda folder: ["split", str(folder / "none.manifest")],
    "would be overwritten": lambda folder: [
        *("split", str(save(map(bee, range(9)), folder / "train.manifest"))),
        *("--out", str(folder)),
    ],
    "must lie between 0 and 1": lambda folder: [
        *("split", str(save(map(bee, range(9)), folder / "output.manifest"))),
        *("--share", "nan"),
    ],
    "1 photos are too few": lambda folder: [
        *("split", str(save([bee(0)], folder / "output.manifest"))),
    ],
}


@pytest.mark.parametrize("said", UNUSABLE)
def test_what_can_not_be_split_ends_with_a_sentence(said: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=said):
        main(UNUSABLE[said](tmp_path))

    assert not (tmp_path / "validation.manifest").exists()


names = st.text(st.characters(codec="utf-8"), min_size=1)
boxes = st.builds(Annotation, st.integers(0, 99), *[st.integers(0, 10**6)] * 4)


@given(
    source=names,
    size=st.tuples(st.integers(1, 10**5), st.integers(1, 10**5)),
    found=st.lists(boxes),
    classes=st.lists(names),
    job=names.filter(lambda name: name != "source-ref"),
)
def test_what_is_written_is_read_again(
    source: str, size: tuple[int, int], found: list[Annotation], classes: list[str], job: str
) -> None:
    [photo], damaged = read(manifest_line(source, size, found, classes, job), job)

    assert not damaged
    assert (photo.source, photo.size, list(photo.annotations)) == (source, size, found)
    assert photo.class_map == dict(enumerate(classes))


def test_scenes_are_written_with_the_boxes_of_their_digits(tmp_path: Path) -> None:
    box = np.array([[4.0, 6.0, 10.0, 20.0]])
    mask = np.full((30, 40), INK, np.uint8)
    found = [Scene(Image.new("RGB", (40, 30)), box, np.array([7]), mask)]

    manifest = write_scenes(found, tmp_path / "scenes", "s3://bucket/")

    [photo] = load(manifest).photos
    assert photo.source == "s3://bucket/0000.jpg"
    with Image.open(tmp_path / "scenes" / "0000.jpg") as picture:
        assert photo.size == picture.size == (40, 30)
    assert photo.annotations == (Annotation(class_id=7, left=4, top=6, width=6, height=14),)
    assert photo.class_map[7] == "seven"
    [line] = map(json.loads, manifest.read_text().splitlines())
    assert line["digits-metadata"]["type"] == "groundtruth/object-detection"
    assert line["digits-metadata"]["objects"] == [{"confidence": 1}]
