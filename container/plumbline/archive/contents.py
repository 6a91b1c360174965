"""Folder → what is in it: the spec, the model, its labels and its golden pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plumbline.archive import accelerated_files as accelerated
from plumbline.archive import diagnosis, graph_operations, handler_code, label_files
from plumbline.archive.accelerated_files import Accelerated
from plumbline.archive.damage import told
from plumbline.archive.discovery import ModelFile, find_models, is_version, saved_models
from plumbline.archive.handler_code import Code, Whereabouts
from plumbline.archive.json_files import LARGEST_JSON
from plumbline.errors import ArchiveError
from plumbline.spec import model_spec as specs
from plumbline.spec.checks import FILE
from plumbline.spec.model_spec import ModelSpec
from plumbline.vision.arrays import Tensors

CODE = Whereabouts()


@dataclass(frozen=True)
class GoldenPicture:
    """A picture and the outputs that the user's own code gave for it, by name."""

    name: str
    picture: bytes
    expected: Tensors


@dataclass(frozen=True)
class Archive:
    """What a model folder holds; of its `models` the first is the default, found by `rule`."""

    root: Path
    spec: ModelSpec
    models: tuple[ModelFile, ...]
    labels: tuple[str, ...] | None
    goldens: tuple[GoldenPicture, ...]
    rule: str = ""
    accelerated: Accelerated | None = None
    code: Code | None = None
    """The user's handler, found and not yet run."""
    allow_ops: tuple[str, ...] = ()
    """Operations that a graph may have beside those that compute."""
    not_run: tuple[str, ...] = ()
    """A sentence about each handler that lies where nobody looks for one."""

    @property
    def model(self) -> ModelFile:
        """The model that is served where a request names none."""
        return self.models[0]

    def singly(self) -> Iterator[Archive]:
        """Of each model an archive of its own, the default's first.

        What the archive declares holds for all that have no plumbline.toml in their own folders;
        its golden pictures are the default's.
        """
        for model in self.models:
            folder = own_folder(self.root, model)
            if (folder / FILE).is_file() and folder != self.root:
                alone = opened(folder, read_spec(folder), (model,), self.rule)
                yield replace(alone, allow_ops=self.allow_ops)
            elif model is self.model:
                yield replace(self, models=(model,))
            else:
                yield replace(self, models=(model,), goldens=(), accelerated=None)


def open_archive(
    root: Path,
    default: str = "",
    whereabouts: Whereabouts = CODE,
    allow_ops: Collection[str] = (),
) -> Archive:
    """What lies in the folder `root`; the `default` of several models is chosen by its name.

    `allow_ops` are operations that the graph of a model may have beside those that compute.
    Raises `ArchiveError`, `UnsafeModel`, `EngineError`, `SpecError` or `HandlerError`.
    """
    if not root.is_dir():
        raise ArchiveError(f"There is no model folder {root}.")
    spec = read_spec(root)
    code = handler_code.find(root, whereabouts)
    lost = tuple(map(handler_code.not_run, handler_code.misplaced(root, whereabouts, code)))
    if code and code.brings_model:
        brought, rule = (ModelFile("code", code.file),), f"{code.name} has a model_fn"
        undeclared = ModelSpec(golden=spec.golden)  # the rest is of a model that is not here
        return replace(opened(root, undeclared, brought, rule), code=code, not_run=lost)
    found = find_models(root, spec.model.path)
    for model in found.models:
        if broken := diagnosis.incomplete(root, model.path):
            raise broken
        if model.kind == "saved_model":
            graph_operations.check(model.path, allow_ops)
    archive = opened(root, spec, preferring(found.models, default), found.rule)
    return replace(archive, code=code, not_run=lost, allow_ops=tuple(allow_ops))


def opened(root: Path, spec: ModelSpec, models: tuple[ModelFile, ...], rule: str) -> Archive:
    """What the spec of the folder `root` declares beside its models."""
    return Archive(
        root=root,
        spec=spec,
        models=models,
        labels=read_labels(root, spec.labels),
        goldens=tuple(read_goldens(root / spec.golden.images)),
        rule=rule,
        accelerated=accelerated_form(root, models[0], spec),
    )


def preferring(models: tuple[ModelFile, ...], name: str) -> tuple[ModelFile, ...]:
    """The models, those of this name first. Raises `ArchiveError` where there are none."""
    if name and name not in {model.name for model in models}:
        there = ", ".join(sorted({model.name for model in models}))
        raise ArchiveError(
            f"The archive has no model {name!r} to answer where none is named; it has {there}. "
            "SAGEMAKER_TFS_DEFAULT_MODEL_NAME can be one of these."
        )
    return tuple(sorted(models, key=lambda model: model.name != name)) if name else models


def own_folder(root: Path, model: ModelFile) -> Path:
    """The folder of all versions of a model; of one that has none, the archive's."""
    return model.path.parent if is_version(model.path.name) else root


def accelerated_form(root: Path, model: ModelFile, spec: ModelSpec) -> Accelerated | None:
    """The default model's, if the archive has one, and it was made of that very model."""
    found = accelerated.read(root)
    if found is None or found.signature_name != spec.model.signature or model.kind == "code":
        return None
    return found if found.model == model.path.relative_to(root).as_posix() else None


def read_spec(root: Path) -> ModelSpec:
    """The folder's plumbline.toml; every key at its default where there is none."""
    file = root / FILE
    if file.is_file():
        return specs.parse(read_text(file))
    if not have_own_specs(root) and (misplaced := diagnosis.misplaced_spec(root)):
        raise misplaced
    return ModelSpec()


def have_own_specs(root: Path) -> bool:
    """Whether there are several models, and one of them has a plumbline.toml of its own."""
    folders = {own_folder(root, model) for model in saved_models(root, root)}
    return len(folders) > 1 and any((folder / FILE).is_file() for folder in folders)


def read_text(file: Path) -> str:
    """A text file of the archive. Raises `ArchiveError` if it is none."""
    with told(file.name, "the system"):
        data = file.read_bytes()
    if len(data) > LARGEST_JSON:
        raise ArchiveError(f"{file.name} has more than {LARGEST_JSON:,} bytes.")
    try:
        return data.decode("utf-8-sig")  # Windows writes a byte order mark
    except UnicodeDecodeError as exc:
        raise ArchiveError(f"{file.name} can't be read as UTF-8 text; save it as that.") from exc


def read_labels(root: Path, source: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The labels in the order of their classes. Raises `ArchiveError`."""
    if source is None or isinstance(source, tuple):
        return source
    file = root / source
    if not file.is_file():
        raise diagnosis.screen(
            root, f"plumbline.toml: labels = {source!r}, but there is no such file."
        )
    return label_files.read(read_text(file), source)


def read_goldens(folder: Path) -> Iterator[GoldenPicture]:
    """The golden pictures, each beside the outputs expected of it in `<picture>.npz`."""
    files = {file.name: file for file in folder.iterdir()} if folder.is_dir() else {}
    for name in sorted(files):
        if name.endswith(".npz"):
            if name.removesuffix(".npz") not in files:
                raise ArchiveError(
                    f"{folder.name}/{name} has no picture beside it: put it there, or "
                    "delete the .npz."
                )
        elif f"{name}.npz" in files:
            expected = read_outputs(files[f"{name}.npz"])
            with told(f"{folder.name}/{name}", "the system"):
                picture = files[name].read_bytes()
            yield GoldenPicture(name, picture, expected)
        else:
            raise ArchiveError(
                f"{folder.name}/{name} has no expected outputs ({name}.npz): "
                "plumbline pack --golden writes them, or delete the picture."
            )


def read_outputs(file: Path) -> Tensors:
    """The arrays of an .npz file; nothing in it is ever unpickled."""
    source = f"{file.parent.name}/{file.name}"
    with told(source, "NumPy"), zipfile.ZipFile(file) as members:
        check_size(members, source)
    with told(source, "NumPy"), np.load(file, allow_pickle=False) as arrays:
        try:
            outputs = {name: arrays[name] for name in arrays}
        except ValueError as exc:
            if "allow_pickle" not in str(exc):
                raise
            raise ArchiveError(
                f"{source} holds Python objects, which are never read: "
                "np.savez(file, output=array) writes numbers."
            ) from exc
    if not outputs:
        raise ArchiveError(
            f"{source} holds no expected outputs: np.savez(file, output=array) "
            "writes them, and plumbline pack --golden computes them."
        )
    return outputs


MOST_OUTPUTS = 1000

LARGEST_OUTPUTS = 512 * 1024**2
"""Bytes of the expected outputs of one picture, unpacked."""


def check_size(members: zipfile.ZipFile, source: str) -> None:
    """Raise `ArchiveError` where there is more than any model answers to one picture."""
    listed = members.infolist()
    if len(listed) > MOST_OUTPUTS or sum(one.file_size for one in listed) > LARGEST_OUTPUTS:
        raise ArchiveError(
            f"{source} holds more than {MOST_OUTPUTS:,} arrays or {LARGEST_OUTPUTS:,} bytes, which "
            "no model answers to one picture."
        )
