"""Runs inside the process of `never_packed.py`: TensorFlow's answers, and the network for OpenVINO.

It sends what the library says of the file, `{"said": text}`, the network's signature when that is
written, `{"network": …}`, and then either the same and the names of other signatures that are the
same function, or `{"error": sentence}`. What needs no TensorFlow does not wait
for it: most of what OpenVINO does not compute is found out before TensorFlow is imported.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from plumbline.archive.accelerated_files import NETWORK
from plumbline.archive.contents import Archive
from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import read_signatures
from plumbline.engines.openvino_networks import convert
from plumbline.errors import EngineError, PlumblineError
from plumbline.loading.loader import load, make_pipeline
from plumbline.loading.never_packed import answered, pictures_of, reopened, write_answer
from plumbline.loading.openvino_equivalence import by_pictures, independent, namesakes, shapes
from plumbline.loading.terms import Terms
from plumbline.machine.child_process import received, send
from plumbline.pipeline.model_inputs import check_pictures, decodes_itself
from plumbline.pipeline.picture_view import seen
from plumbline.pipeline.stages import Pipeline
from plumbline.signature import Signature
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision import synthetic_pictures
from plumbline.vision.images import Limits


def main() -> None:
    """Answer the request; whatever goes wrong becomes a message."""
    request, messages = received()
    die_first()
    tell(messages)
    folder = Path(request["folder"])
    tempfile.tempdir = str(folder)
    try:
        send(messages, **found(request, folder, messages))
    except PlumblineError as exc:
        send(messages, error=exc.message)
    except Exception as exc:  # TensorFlow's, OpenVINO's, or the disk's
        traceback.print_exc()
        send(messages, error=f"It can't be compared: {type(exc).__name__}: {exc}")
    messages.close()
    os._exit(0)  # unwinding would wait for TensorFlow's threads


def die_first() -> None:
    """Where memory runs out, let the system end this process and not the server."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def tell(messages: IO[str]) -> None:
    """Send on what the engines log."""

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            send(messages, said=record.getMessage())

    engines = logging.getLogger("plumbline.engines")
    engines.setLevel(logging.INFO)
    engines.addHandler(Sender())


def found(request: Mapping[str, Any], folder: Path, messages: IO[str]) -> dict[str, Any]:
    """The outcome; the network and the answers lie in the folder then. Raises a `ModelError`."""
    archive = reopened(request)
    limits = Limits(**{**request["limits"], "formats": tuple(request["limits"]["formats"])})
    terms = Terms(limits=limits, cores=request["cores"])
    with exported(archive, folder) as model:
        signature = suitable(archive.spec, read_signatures(model.path))
        importing = threading.Thread(target=import_module, args=("tensorflow",), daemon=True)
        importing.start()
        convert(model.path, signature, folder / NETWORK)
        send(messages, network=asdict(signature))
        pipeline = make_pipeline(archive, load(archive, model, terms), terms)
        aliases = demand_alike(pipeline)
        if not independent(pipeline, synthetic_pictures.pictures(limits.formats[0])):
            raise EngineError("Its answer for a picture depends on what else is in the batch.")
        for number, picture in enumerate(pictures_of(archive, limits)):
            write_answer(folder, number, answered(pipeline, picture))
    return {**asdict(signature), "aliases": sorted(aliases)}


@contextlib.contextmanager
def exported(archive: Archive, folder: Path) -> Iterator[ModelFile]:
    """The archive's model as a SavedModel, which does not outlive the block where it was none."""
    model = archive.model
    if model.kind == "saved_model":
        yield model
        return
    from plumbline.engines.keras import convert as export

    with tempfile.TemporaryDirectory(dir=folder) as name:
        export(model, Path(name), archive.allow_ops)
        yield ModelFile("saved_model", Path(name))


def suitable(spec: ModelSpec, signatures: Mapping[str, Signature]) -> Signature:
    """The signature that pictures go to, as far as can be seen without TensorFlow.

    Raises `EngineError`.
    """
    chosen = signatures.get(spec.model.signature)
    if chosen is None:
        raise EngineError(f"It has no signature {spec.model.signature!r}.")
    as_pictures = seen(spec, chosen)
    if len(as_pictures.inputs) != 1 or decodes_itself(as_pictures.input()):
        raise EngineError("It takes other tensors than pictures' pixels.")
    if reason := check_pictures(spec, chosen):
        raise EngineError(f"It can't be compared by pictures. {reason}")
    if not by_pictures(chosen):
        raise EngineError("It has an output of texts, or one without an axis for pictures.")
    for name, other in signatures.items():
        if shapes(other) != shapes(chosen):
            raise EngineError(f"It has another signature beside, {name!r}.")
    return chosen


def demand_alike(pipeline: Pipeline) -> frozenset[str]:
    """The names of other signatures. Raises `EngineError` if one of them is another function."""
    found = namesakes(pipeline, synthetic_pictures.pictures(pipeline.limits.formats[0])[0])
    for name in sorted(pipeline.engine.others.keys() - found):
        raise EngineError(f"It has another signature beside, {name!r}.")
    return found


if __name__ == "__main__":
    main()
