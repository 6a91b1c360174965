"""What a model takes and gives, without loading it where that can be."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

from plumbline.archive.contents import Archive
from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import read_signatures
from plumbline.engines.absent import AbsentEngine
from plumbline.engines.keras import convert
from plumbline.errors import EngineError
from plumbline.signature import Signature


def signatures_of(model: ModelFile, archive: Archive) -> tuple[str, dict[str, Signature]]:
    """Who reads the model, and its signatures; a Keras file has those that Keras exports."""
    if model.kind == "code":
        return "its handler", {archive.spec.model.signature: AbsentEngine().signature}
    if model.kind == "saved_model":
        return "TensorFlow", read_signatures(model.path)
    form = archive.accelerated
    if find_spec("tensorflow") is None:
        if form is None or model is not archive.model:
            raise EngineError(
                f"Looking into {model.path.name}, which was not compiled for OpenVINO, needs "
                "TensorFlow, which is not installed: install '.[tensorflow]' in Plumbline's "
                "checkout, as its README says."
            )
        return "OpenVINO", {form.signature_name: form.signature}
    with tempfile.TemporaryDirectory(prefix="plumbline-inspect-") as folder:
        reader = convert(model, Path(folder), archive.allow_ops)
        return reader, read_signatures(Path(folder))
