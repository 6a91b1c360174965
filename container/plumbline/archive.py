"""Folder → what is in it: the spec, the model, its labels and its golden pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plumbline import spec as specs
from plumbline.arrays import Tensors
from plumbline.errors import ArchiveError
from plumbline.spec import ModelSpec

LAYOUTS = ("", "*/", "*/*/", "export/Servo/*/")
"""Where a SavedModel may lie; the last folder of all but the first is its version."""

EXPECTED = """expected one of
  saved_model.pb and variables/         a SavedModel, at the top or under <version>/,
                                        <name>/<version>/ or export/Servo/<version>/
  <name>.keras                          a model saved by Keras 3
  plumbline.toml with [model] path      to say which of several is meant"""


@dataclass(frozen=True)
class ModelFile:
    """The model itself: a "saved_model" folder or a "keras" file."""

    kind: str
    path: Path


@dataclass(frozen=True)
class GoldenPicture:
    """A picture and the outputs that the user's own code gave for it, by name."""

    name: str
    picture: bytes
    expected: Tensors


@dataclass(frozen=True)
class Archive:
    """What a model folder holds."""

    root: Path
    spec: ModelSpec
    model: ModelFile
    labels: tuple[str, ...] | None
    goldens: tuple[GoldenPicture, ...]


def open_archive(root: Path) -> Archive:
    """What lies in the folder `root`. Raises `ArchiveError` or `SpecError`."""
    if not root.is_dir():
        raise ArchiveError(f"There is no model folder {root}.")
    spec = read_spec(root)
    return Archive(
        root=root,
        spec=spec,
        model=find_model(root, spec.model.path),
        labels=read_labels(root, spec.labels),
        goldens=tuple(read_goldens(root / spec.golden.images)),
    )


def read_spec(root: Path) -> ModelSpec:
    """The folder's plumbline.toml; every key at its default where there is none."""
    file = root / specs.FILE
    return specs.parse(read_text(file)) if file.is_file() else ModelSpec()


def read_text(file: Path) -> str:
    """A text file of the archive. Raises `ArchiveError` if it is none."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ArchiveError(f"{file.name} can't be read as UTF-8 text.") from exc


def find_model(root: Path, declared: str | None) -> ModelFile:
    """The model that is declared, or the only one there is."""
    if declared is not None:
        return declared_model(root, declared)
    found = [*newest_versions(root), *keras_files(root)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ArchiveError(f"There is no model in the archive; {EXPECTED}\n{listing(root)}")
    names = ", ".join(str(model.path.relative_to(root)) for model in found)
    raise ArchiveError(
        f"There are {len(found)} models in the archive: {names}. "
        "Say which is meant in plumbline.toml: [model] path."
    )


def declared_model(root: Path, declared: str) -> ModelFile:
    """The model at the path that the spec names."""
    path = root / declared
    if path.suffix == ".keras" and path.is_file():
        return ModelFile("keras", path)
    if (path / "saved_model.pb").is_file():
        return ModelFile("saved_model", path)
    raise ArchiveError(
        f"plumbline.toml: [model] path = {declared!r} is neither a SavedModel folder nor a "
        f".keras file.\n{listing(root)}"
    )


def newest_versions(root: Path) -> Iterator[ModelFile]:
    """The SavedModels of the archive, of each name the highest version."""
    newest: dict[Path, Path] = {}
    for layout in LAYOUTS:
        for file in root.glob(f"{layout}saved_model.pb"):
            folder = file.parent
            if layout and not folder.name.isdecimal():
                continue
            known = newest.get(folder.parent)
            if known is None or int(folder.name) > int(known.name):
                newest[folder.parent] = folder
    return (ModelFile("saved_model", folder) for folder in sorted(newest.values()))


def keras_files(root: Path) -> Iterator[ModelFile]:
    """The `.keras` files at the top; those that begin with a dot are macOS's own."""
    files = (file for file in sorted(root.glob("*.keras")) if not file.name.startswith("."))
    return (ModelFile("keras", file) for file in files)


def listing(root: Path, most: int = 20) -> str:
    """What is there, for an error to show."""
    names = sorted(
        f"  {path.relative_to(root)}{'/' if path.is_dir() else ''}" for path in root.rglob("*")
    )
    more = [f"  … and {len(names) - most} more"] if len(names) > most else []
    return "\n".join(["found" if names else "found nothing: it is empty", *names[:most], *more])


def read_labels(root: Path, source: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The labels in the order of their classes."""
    if source is None or isinstance(source, tuple):
        return source
    file = root / source
    if not file.is_file():
        raise ArchiveError(
            f"plumbline.toml: labels = {source!r}, but there is no such file.\n{listing(root)}"
        )
    return tuple(read_text(file).splitlines())


def read_goldens(folder: Path) -> Iterator[GoldenPicture]:
    """The golden pictures, each beside the outputs expected of it in `<picture>.npz`."""
    files = {file.name: file for file in folder.iterdir()} if folder.is_dir() else {}
    for name in sorted(files):
        if name.endswith(".npz"):
            if name.removesuffix(".npz") not in files:
                raise ArchiveError(f"{folder.name}/{name} has no picture beside it.")
        elif f"{name}.npz" in files:
            expected = read_outputs(files[f"{name}.npz"])
            yield GoldenPicture(name, files[name].read_bytes(), expected)
        else:
            raise ArchiveError(f"{folder.name}/{name} has no expected outputs ({name}.npz).")


def read_outputs(file: Path) -> Tensors:
    """The arrays of an .npz file; nothing in it is ever unpickled."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays}
    except Exception as exc:  # zipfile, zlib, NumPy: whatever a damaged file makes them raise
        raise ArchiveError(f"{file.parent.name}/{file.name} is damaged: {exc}") from exc
