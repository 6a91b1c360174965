"""What was found in an archive, told to people (tables) and to scripts (JSON)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plumbline.archive.contents import Archive
from plumbline.handlers.handler_summary import handler, handler_rows
from plumbline.loading import request_stages
from plumbline.loading.inspection import Inspection
from plumbline.loading.model_registry import NAME, VERSION
from plumbline.loading.request_stages import is_declared, preprocessing, stages, words

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "saved_model": "SavedModel",
        "keras": "Keras file",
        "h5": "whole Keras model in HDF5",
        "json": "Keras architecture with its weights",
        "code": "a handler that loads the model itself",
    }
)


def golden_line(found: Inspection) -> str:
    """What the golden pictures are good for."""
    count, tolerance = len(found.archive.goldens), found.archive.spec.golden.tolerance
    if not count:
        return "none: the answers were not compared with the notebook's"
    return f"{count} pictures, to be reproduced within {tolerance:g} at every start"


def document(found: Inspection) -> dict[str, Any]:
    """All of it, for scripts."""
    archive = found.archive
    return {
        "found_by": archive.rule,
        "reader": found.reader,
        "manifest_verified": found.verified,
        "accelerated": forms(archive),
        "models": [
            {
                "name": model.name,
                "version": model.version,
                "kind": model.kind,
                "path": place(archive, model.path),
                "weights": model.weights and place(archive, model.weights),
                "default": model is archive.model,
            }
            for model in archive.models
        ],
        "specs": sorted({place(archive, file) for file in found.specs}),
        "signature": archive.spec.model.signature,
        "signatures": {name: asdict(signature) for name, signature in found.signatures.items()},
        "task": archive.spec.task,
        "labels": None if archive.labels is None else len(archive.labels),
        "preprocess": preprocessing(found),
        "declared": sorted(found.declared.get("preprocess", {})),
        "handler": handler(archive),
        "warnings": list(archive.not_run),
        "golden": {
            "pictures": len(archive.goldens),
            "files": [f"{archive.spec.golden.images}/{each.name}" for each in archive.goldens],
            "tolerance": archive.spec.golden.tolerance,
        },
        "stages": list(request_stages.told(found)),
    }


def place(archive: Archive, path: Path) -> str:
    """Where it lies in the archive."""
    return path.relative_to(archive.root).as_posix()


def show(found: Inspection, console: Console) -> None:
    """All of it, for people: at most 80 columns wide."""
    sections: tuple[tuple[str, Iterator[tuple[str, str]]], ...] = (
        ("Handler", handler_rows(found.archive)),
        ("Model", model_rows(found)),
        ("Signatures", signature_rows(found)),
        ("Preprocessing", preprocess_rows(found)),
        ("Task", task_rows(found)),
        ("A request with a picture goes through", numbered(stages(found))),
    )
    for title, rows in sections:
        console.print(Text(title, "bold"))
        table = Table.grid(padding=(0, 2), pad_edge=False)
        table.add_column(width=18, overflow="fold")
        table.add_column(overflow="fold")
        for name, text in rows:
            table.add_row(Text(f"  {name}"), Text(text))
        console.print(table, width=min(console.width, 80))
        console.print()


def model_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """What is served, where it lies, why it is that, and what else is there."""
    archive, model = found.archive, found.archive.model
    where = place(archive, model.path)
    yield "served", f"{model.name}/{model.version}"
    yield "what", f"{KINDS[model.kind]}: {'the top of the archive' if where == '.' else where}"
    if model.weights:
        yield "weights", place(archive, model.weights)
    yield "why", archive.rule
    yield "read by", found.reader
    yield "computed by", computed_by(found)
    if others := [f"{other.name}/{other.version}" for other in archive.models[1:]]:
        yield "also served", f"{', '.join(others)}; requests choose by {NAME} and {VERSION}"
    if len(specs := sorted({place(archive, file) for file in found.specs})) > 1:
        yield "declared in", ", ".join(specs)
    yield "files", "as they were packed (manifest)" if found.verified else "no manifest"


def computed_by(found: Inspection) -> str:
    """What computes the model."""
    names = forms(found.archive)
    if not names:
        return "TensorFlow"
    return f"OpenVINO, in {' or '.join(names)}; by TensorFlow if that answers otherwise"


def forms(archive: Archive) -> list[str]:
    """The names of the accelerated forms of the default model."""
    return [form.name for form in archive.accelerated.forms] if archive.accelerated else []


def signature_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """Each signature: what goes in, what comes out."""
    others = "asked by its name" if found.signature.absent else "not used"
    for name, signature in found.signatures.items():
        yield name, "answers requests" if signature is found.signature else others
        for tensor in signature.inputs:
            yield "  in", str(tensor)
        for tensor in signature.outputs:
            yield "  out", str(tensor)


def preprocess_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """Each key of the table, what it will be, and who says so."""
    for key, value in preprocessing(found).items():
        source = "declared" if is_declared(found, "preprocess", key) else "by default"
        if key in ("size", "layout") and source == "by default":
            source = "the model's own"
        yield key, f"{words(value):<24} {source}"


def task_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """What is made of the output, and how sure that is."""
    labels = found.archive.labels
    source = "declared" if "task" in found.declared else "by the look of its outputs"
    yield "task", f"{found.archive.spec.task:<24} {source}"
    yield "labels", str(len(labels)) if labels else "none: classes are answered by their number"
    yield "golden", golden_line(found)


def numbered(rows: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The rows with their numbers."""
    return ((f"{number} {name}", text) for number, (name, text) in enumerate(rows, start=1))
