"""`plumbline compare`: answers from elsewhere beside golden pictures, over the fake engine."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.archive.contents import Archive, GoldenPicture
from plumbline.archive.discovery import ModelFile
from plumbline.client.compare import Comparison, compared
from plumbline.engines.fake import FakeEngine
from plumbline.errors import CommandError
from plumbline.loading.inspection import Inspection
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import Classification, Golden, ModelSpec

SCORES = np.array([[0.25, 0.75, 0, 0, 0, 0, 0, 0, 0, 0]], np.float32)


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (9, 7)).save(stream, "PNG")
    return stream.getvalue()


def inspected(signature: Signature | None = None, **spec: Any) -> Inspection:
    """An archive with the golden picture cat.png, which gives SCORES."""
    declared = ModelSpec(
        task="classification",
        declared=frozenset({"task"}),
        golden=Golden(tolerance=0.01),
        **spec,
    )
    archive = Archive(
        Path(),
        declared,
        (ModelFile("saved_model", Path(), "model", 1),),
        None,
        (GoldenPicture("cat.png", picture(), {"scores": SCORES}),),
    )
    served = signature or FakeEngine().signature
    return Inspection(archive, "", {declared.model.signature: served}, {}, False)


def answered(folder: Path, values: Any) -> Path:
    """The answer as an array."""
    np.save(folder / "cat.png.npy", np.asarray(values, np.float32))
    return folder


def npy(values: Any) -> bytes:
    """As the server writes arrays."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def test_the_same_values_are_no_difference(tmp_path: Path) -> None:
    found = compared(inspected(), answered(tmp_path, SCORES[0]))

    assert found.found["cat.png"].largest == 0
    assert found.wrong is None


def test_more_than_the_tolerance_is_wrong(tmp_path: Path) -> None:
    found = compared(inspected(), answered(tmp_path, SCORES[0] + 0.02))

    assert found.found["cat.png"].largest == pytest.approx(0.02)
    assert "cat.png" in (found.wrong or "")
    assert found.document()["pictures"]["cat.png"]["within"] is False


def test_outputs_are_activated_before_they_are_compared(tmp_path: Path) -> None:
    logits = np.log(np.maximum(SCORES[0], 1e-12))
    softmax = inspected(classification=Classification(activation="softmax"))

    assert compared(softmax, answered(tmp_path, logits)).wrong is None


def test_answers_may_be_json(tmp_path: Path) -> None:
    said = {"predictions": [SCORES[0].tolist()]}
    (tmp_path / "cat.png.json").write_text(json.dumps(said))

    assert compared(inspected(), tmp_path).wrong is None


@pytest.mark.parametrize("body", ["", '{"error": {"code": "x"}}', '{"predictions": []}', "[]"])
def test_what_is_no_answer_is_said_to_be_none(tmp_path: Path, body: str) -> None:
    (tmp_path / "cat.png.json").write_text(body)

    found = compared(inspected(), tmp_path)

    assert "The worst is cat.png" in (found.wrong or "")
    assert "is not that of a server to format=raw" in (found.wrong or "")


@pytest.mark.parametrize("body", [b"", b"no array", npy(np.zeros((2, 3, 4)))])
def test_an_array_that_is_no_answer_is_wrong_too(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "cat.png.npy").write_bytes(body)

    assert "The worst is cat.png" in (compared(inspected(), tmp_path).wrong or "")


def test_a_folder_without_answers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no answer to any of the 1 golden pictures"):
        compared(inspected(), tmp_path)


def test_several_outputs_come_by_their_names(tmp_path: Path) -> None:
    signature = FakeEngine().signature
    more = (*signature.outputs, TensorSpec("other", (None, 2), "int32"))
    both = {signature.outputs[0].name: SCORES[0].tolist(), "other": [1, 2]}
    (tmp_path / "cat.png.json").write_text(json.dumps({"predictions": [both]}))
    declared = inspected(
        replace(signature, outputs=more),
        model=replace(ModelSpec().model, output=signature.outputs[0].name),
    )

    found = compared(declared, tmp_path)

    assert isinstance(found, Comparison)
    assert found.wrong is None
