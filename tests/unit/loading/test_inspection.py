"""What `plumbline inspect` says where TensorFlow is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plumbline.archive.accelerated_files import Accelerated
from plumbline.archive.contents import Archive
from plumbline.archive.discovery import ModelFile
from plumbline.engines import model_io
from plumbline.engines.fake import FakeEngine
from plumbline.errors import EngineError
from plumbline.spec.model_spec import ModelSpec

MODEL = ModelFile("keras", Path("cnn.keras"), None, "model", 1)


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_io, "find_spec", lambda _name: None)


def archive(form: Accelerated | None) -> Archive:
    return Archive(Path(), ModelSpec(), (MODEL,), None, (), accelerated=form)


def test_the_signature_of_the_compiled_form_is_known() -> None:
    signature = FakeEngine().signature
    form = Accelerated(Path("x.xml"), "saved_model", "serving_default", signature, ("f32",))

    found: Any = model_io.signatures_of(MODEL, archive(form))

    assert found == ("OpenVINO", {"serving_default": signature})


def test_of_others_it_says_what_is_needed() -> None:
    with pytest.raises(EngineError, match="needs TensorFlow"):
        model_io.signatures_of(MODEL, archive(None))
