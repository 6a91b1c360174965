"""What an archive says of its accelerated forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plumbline.archive.accelerated_files import (
    FILE,
    FOLDER,
    FORMS,
    Accelerated,
    Choice,
    in_order,
    read,
    weight,
    write,
)
from plumbline.errors import ArchiveError
from plumbline.signature import Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("picture", (None, 32, 32, 3), "float32"),),
    (TensorSpec("scores", (None, 10), "float32"), TensorSpec("words", (None,), "string")),
)

F32, _, INT8, _ = FORMS


@pytest.fixture
def written(tmp_path: Path) -> Accelerated:
    """What lies in a folder with two accelerated forms."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    found = Accelerated(
        folder, "1", "serving_default", SIGNATURE, {INT8: 0.9, F32: 1.0}, frozenset({"serve"})
    )
    write(found, [{"name": "f32"}])
    return found


def test_the_forms_of_the_most_compact_network_are_tried_first() -> None:
    f32, bf16, int8, both = FORMS
    forms = (both, int8, bf16, f32)
    assert list(in_order(forms, "")) == [[], [both, int8], [bf16, f32]]
    assert list(in_order(forms, "bf16")) == [[bf16], [both, int8], [f32]]
    assert list(in_order(forms, "f32")) == [[f32], [both, int8], [bf16]]


def test_a_choice_is_remembered_where_there_is_room_for_it(tmp_path: Path) -> None:
    Choice(tmp_path / "model-1").keep("bf16")
    assert Choice(tmp_path / "model-1").name == "bf16"
    assert Choice(tmp_path / "model-2").name == ""
    Choice(None).keep("bf16")
    assert Choice(None).name == ""
    (tmp_path / "file").touch()
    Choice(tmp_path / "file" / "model-1").keep("bf16")
    assert Choice(tmp_path / "file" / "model-1").name == ""


def test_what_was_written_is_read_back_in_its_order(written: Accelerated, tmp_path: Path) -> None:
    found = read(tmp_path)

    assert found == written
    assert list(found.forms) == [INT8, F32]


def test_each_form_has_its_network_and_the_precision_of_its_other_layers(
    written: Accelerated,
) -> None:
    forms = json.loads((written.folder / FILE).read_text())["forms"]

    assert [(form["name"], form["network"], form["golden_agreement"]) for form in forms] == [
        ("int8", "int8.xml", 0.9),
        ("f32", "network.xml", 1.0),
    ]
    assert {form["precision"] for form in forms} <= {"f32", "bf16"}


def test_an_archive_weighs_as_much_as_its_largest_network(
    written: Accelerated, tmp_path: Path
) -> None:
    (written.folder / "network.bin").write_bytes(bytes(30))
    (written.folder / "int8.bin").write_bytes(bytes(10))

    assert weight(tmp_path) == 30


def test_what_has_no_network_or_a_damaged_one_weighs_nothing(
    written: Accelerated, tmp_path: Path
) -> None:
    assert weight(tmp_path) is None  # the weights are missing
    (written.folder / FILE).write_text("{")
    assert weight(tmp_path) is None
    assert weight(tmp_path / "elsewhere") is None


def test_an_archive_without_one_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({"model": "1", "signature_name": "x", "forms": [], "inputs": 5, "outputs": []}),
        json.dumps({"model": "1", "signature_name": "x", "forms": [{}], "inputs": []}),
    ],
)
def test_a_damaged_one_is_named(written: Accelerated, tmp_path: Path, text: str) -> None:
    (written.folder / FILE).write_text(text)
    with pytest.raises(ArchiveError) as caught:
        read(tmp_path)
    assert caught.value.message == (
        "accelerated/forms.json is damaged; pack the archive again, or delete accelerated/."
    )


@pytest.mark.parametrize(("key", "value"), [("name", "int3"), ("network", "../../f32.xml")])
def test_a_form_that_nobody_knows_is_left_out(
    written: Accelerated, tmp_path: Path, key: str, value: str
) -> None:
    file = written.folder / FILE
    document = json.loads(file.read_text())
    document["forms"][0][key] = value
    file.write_text(json.dumps(document))

    found = read(tmp_path)

    assert found is not None
    assert list(found.forms) == [F32]
