"""What the server would make of an archive, for people and for scripts; nothing is served."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plumbline.archive import manifest
from plumbline.archive.contents import Archive, open_archive, read_text
from plumbline.archive.discovery import ModelFile
from plumbline.archive.saved_model import no_signature
from plumbline.engines.model_io import signatures_of
from plumbline.errors import SpecError
from plumbline.handlers.handler_summary import handler, handler_rows
from plumbline.loading.model_registry import NAME, VERSION
from plumbline.pipeline.model_inputs import check_pictures, decodes_itself, image_size
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.checks import FILE
from plumbline.spec.toml_writer import toml_value
from plumbline.tasks.task_table import fitted, suited

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "saved_model": "SavedModel",
        "keras": "Keras file",
        "h5": "whole Keras model in HDF5",
        "json": "Keras architecture with its weights",
        "code": "a handler that loads the model itself",
    }
)


@dataclass(frozen=True)
class Inspection:
    """All that was found; `declared` is plumbline.toml as it stands, {} where there is none."""

    archive: Archive
    reader: str
    signatures: Mapping[str, Signature]
    declared: Mapping[str, Any]
    verified: bool
    specs: Sequence[Path] = ()
    """The plumbline.toml that each model's serving follows, where there is one."""

    @property
    def signature(self) -> Signature:
        """The signature that requests are answered by."""
        return self.signatures[self.archive.spec.model.signature]

    @property
    def no_pictures(self) -> str | None:
        """Why the model takes no pictures, or None if it does."""
        return check_pictures(self.archive.spec, self.signature)

    @property
    def size(self) -> tuple[int, int] | None:
        """The (height, width) that pictures are brought to; None if they are left as they are."""
        target = self.signature.input()
        if self.no_pictures or decodes_itself(target):
            return None
        return image_size(self.archive.spec, target)


def inspect(root: Path) -> Inspection:
    """What the folder `root` would be served as. Raises the `ModelError` that loading would."""
    verified = manifest.verify(root)
    archive = open_archive(root)
    described = [(each, *signatures_of(each.model, each)) for each in archive.singly()]
    for each, _, found in described:
        check_fit(each, each.model, found)
    first, reader, signatures = described[0]
    spec = suited(first.spec, signatures[first.spec.model.signature])
    served = replace(first, spec=spec, root=root, models=archive.models, code=archive.code)
    specs = [each.root / FILE for each, *_ in described if (each.root / FILE).is_file()]
    return Inspection(served, reader, signatures, declared_in(first.root), verified, specs)


def check_fit(archive: Archive, model: ModelFile, signatures: Mapping[str, Signature]) -> None:
    """Raise `SpecError` if what the archive declares can't be done with one of its models."""
    chosen = archive.spec.model.signature
    if chosen not in signatures:
        raise SpecError(f"{model.name}/{model.version}: {no_signature(chosen, signatures)}")
    spec = suited(archive.spec, signatures[chosen])
    fitted(spec, archive.labels, signatures[chosen])
    check_pictures(spec, signatures[chosen])


def declared_in(root: Path) -> Mapping[str, Any]:
    """What plumbline.toml says, as it stands there."""
    file = root / FILE
    return tomllib.loads(read_text(file)) if file.is_file() else {}


def is_declared(found: Inspection, table: str, key: str) -> bool:
    """Whether plumbline.toml sets this key itself."""
    return key in found.declared.get(table, {})


def preprocessing(found: Inspection) -> dict[str, Any]:
    """The `[preprocess]` table as it will be applied."""
    table = asdict(found.archive.spec.preprocess)
    size = list(found.size) if found.size else None
    return {**table, **found.declared.get("preprocess", {}), "size": size}


def golden_line(found: Inspection) -> str:
    """What the golden pictures are good for."""
    count, tolerance = len(found.archive.goldens), found.archive.spec.golden.tolerance
    if not count:
        return "none: nobody has compared the answers with the notebook's"
    return f"{count} pictures, to be reproduced within {tolerance:g} at every start"


def stages(found: Inspection) -> Iterator[tuple[str, str]]:
    """What a request with a picture goes through: the name of each stage, and what it does."""
    spec, signature = found.archive.spec, found.signature
    if called := handler(found.archive):
        names = ", ".join(called["replaces"])
        yield "call", f"{names} in {called['file']}, in the stead of what they replace"
    if found.no_pictures:
        yield "refuse", f"{found.no_pictures} Tensors, as application/json, are answered."
        return
    yield from prepared(found)
    yield (
        "infer",
        f"{found.archive.spec.model.signature}: {named(signature.inputs)} → "
        + named(signature.outputs),
    )
    settings = asdict(getattr(spec, spec.task)) if hasattr(spec, spec.task) else {}
    told = ", ".join(
        f"{key} {words(value)}" for key, value in settings.items() if value is not None
    )
    yield spec.task, told or "the outputs as they are"
    yield "encode", "as the Accept header asks, JSON by default"


def prepared(found: Inspection) -> Iterator[tuple[str, str]]:
    """How a picture becomes the model's input."""
    how, applied = found.archive.spec.preprocess, preprocessing(found)
    if decodes_itself(found.signature.input()):
        yield "pass on", "the picture's file as it is: the model decodes it itself"
        return
    turned = ", turned upright by EXIF" if how.exif else ""
    yield "decode", f"the picture by {how.decoder} to {how.color.upper()}{turned}"
    if found.size:
        height, width = found.size
        yield (
            "resize",
            f"to {height}×{width} (height×width) by {how.resize}, {words(applied['fit'])}",
        )
    else:
        yield "keep", "the picture's own size: the model resizes it itself"
    yield "normalize", f"{words(applied['normalize'])}, as {found.signature.input().dtype}"


def words(value: Any) -> str:
    """A value as plumbline.toml would have it, but a text without its quotes."""
    if value is None:
        return "not set"
    return value if isinstance(value, str) else toml_value(value)


def named(tensors: tuple[TensorSpec, ...]) -> str:
    """The names of some tensors."""
    return ", ".join(tensor.name for tensor in tensors)


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
        "golden": {
            "pictures": len(archive.goldens),
            "files": [f"{archive.spec.golden.images}/{each.name}" for each in archive.goldens],
            "tolerance": archive.spec.golden.tolerance,
        },
        "stages": [{"stage": stage, "does": text} for stage, text in stages(found)],
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
    for name, signature in found.signatures.items():
        yield name, "answers requests" if signature is found.signature else "not used"
        for tensor in signature.inputs:
            yield "  in", str(tensor)
        for tensor in signature.outputs:
            yield "  out", str(tensor)


def preprocess_rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """Each key of the table, what it will be, and who says so."""
    for key, value in preprocessing(found).items():
        source = "declared" if is_declared(found, "preprocess", key) else "by default"
        if key == "size" and source == "by default":
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
