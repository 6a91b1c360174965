"""Keras's model files, read as data: what they say of themselves, and whether they hold code."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO

from plumbline.archive import hdf5, keras_config
from plumbline.archive.damage import told
from plumbline.archive.discovery import ModelFile
from plumbline.archive.json_files import LARGEST_JSON
from plumbline.archive.keras_config import Config
from plumbline.errors import ArchiveError, UnsafeModel

CODE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".py", ".pyc", ".so", ".dill")

MOST_MEMBERS = 20_000
MOST_BYTES = 16 * 1024**3
SUSPICIOUS_SIZE = 1024**3
SUSPICIOUS_RATIO = 50
"""Of a zip that unpacks to more than 1 GiB; weights hardly compress."""

SAVE = hdf5.SAVE

ARRAY_SUFFIXES = (".npy", ".npz")


@dataclass(frozen=True)
class KerasModel:
    """What a file says of itself: its architecture, and the Keras that wrote it, where it says."""

    config: Config
    version: str | None
    changed: bool = False
    """Whether the config is no longer the file's."""

    @property
    def major(self) -> int | None:
        """The first number of the version; None where the file has none."""
        first = (self.version or "").partition(".")[0]
        return int(first) if first.isdecimal() else None


def read(model: ModelFile, custom: Collection[str] = ()) -> KerasModel:
    """The file's own account of itself, after making sure that it is only data.

    `custom` names classes that it may need beside Keras's own. Raises `ArchiveError` where it is
    damaged, `UnsafeModel` where it holds code.
    """
    found = READERS[model.kind](model)
    config = keras_config.untrained(found.config)
    keras_config.check(config, model.path.name, custom)
    return KerasModel(config, found.version)


def read_zip(model: ModelFile) -> KerasModel:
    """A `.keras` file."""
    name = model.path.name
    with opened_zip(model.path) as archive:
        check_members(archive, model.path)
        config = keras_config.parse(member(archive, "config.json", name), name)
        metadata = keras_config.parse(member(archive, "metadata.json", name), name)
        check_weights(archive, name)
    return KerasModel(config, keras_config.text(metadata, "keras_version") or None)


@contextmanager
def opened_zip(file: Path) -> Iterator[zipfile.ZipFile]:
    """The zip, open for reading; what is damaged in it raises `ArchiveError`."""
    with told(file.name, "zipfile"), zipfile.ZipFile(file) as archive:
        yield archive


def check_members(archive: zipfile.ZipFile, file: Path) -> None:
    """Raise `UnsafeModel` if the zip's directory lists what no model needs."""
    members = archive.infolist()
    total = sum(info.file_size for info in members)
    bound = min(MOST_BYTES, max(SUSPICIOUS_SIZE, SUSPICIOUS_RATIO * file.stat().st_size))
    if total > bound or len(members) > MOST_MEMBERS:
        raise UnsafeModel(
            f"{file.name} is refused: it would unpack to {total:,} bytes in {len(members):,} "
            f"files, and {bound:,} bytes in {MOST_MEMBERS:,} files are the most for its size."
        )
    for info in members:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts:
            raise UnsafeModel(
                f"{file.name} is refused: it holds {info.filename!r}, outside it. {SAVE}"
            )
        if path.suffix.lower() in CODE_SUFFIXES:
            raise UnsafeModel(
                f"{file.name} is refused: it holds {info.filename!r}, which is code or a pickle. "
                f"{SAVE}"
            )


def member(archive: zipfile.ZipFile, name: str, source: str) -> bytes:
    """A small file in the zip."""
    try:
        info = archive.getinfo(name)
    except KeyError as exc:
        raise ArchiveError(
            f"{source} holds no {name}: it is a zip archive, but not one that Keras saved. {SAVE}"
        ) from exc
    if info.file_size > LARGEST_JSON:
        raise UnsafeModel(f"{source} is refused: its {name} is of {info.file_size:,} bytes. {SAVE}")
    return archive.read(info)


def check_weights(archive: zipfile.ZipFile, source: str) -> None:
    """Raise `UnsafeModel` if the weights reach outside the file or would be unpickled."""
    for info in archive.infolist():
        suffix = PurePosixPath(info.filename).suffix.lower()
        if suffix not in (*hdf5.SUFFIXES, *ARRAY_SUFFIXES):
            continue
        with archive.open(info) as stream:
            if suffix in ARRAY_SUFFIXES:
                check_arrays(stream, f"{source}: {info.filename}")
            else:
                hdf5.check(stream, f"{source}: {info.filename}", info.file_size)


def check_arrays(stream: IO[bytes], source: str) -> None:
    """Raise `UnsafeModel` if a NumPy file holds pickled objects."""
    import numpy as np

    try:
        arrays = np.load(stream, allow_pickle=False)
        for name in getattr(arrays, "files", ()):
            arrays[name]
    except ValueError as exc:
        if "allow_pickle" not in str(exc):
            raise
        raise UnsafeModel(
            f"{source} is refused: it holds pickled objects, not numbers. {SAVE}"
        ) from exc


def read_h5(model: ModelFile) -> KerasModel:
    """A whole model in HDF5."""
    name = model.path.name
    hdf5.check(model.path, name, model.path.stat().st_size)
    config = keras_config.parse(hdf5.attribute(model.path, "model_config") or "", name)
    return KerasModel(config, hdf5.attribute(model.path, "keras_version"))


def read_json(model: ModelFile) -> KerasModel:
    """An architecture, whose weights lie in a file beside it."""
    if model.weights is None:
        raise ArchiveError(
            f"{model.path.name} has no weights beside it: name both, "
            f"plumbline pack {model.path.name} weights.h5."
        )
    hdf5.check(model.weights, model.weights.name, model.weights.stat().st_size)
    config = keras_config.parse(model.path.read_bytes(), model.path.name)
    said = keras_config.text(config, "keras_version")
    return KerasModel(config, said or hdf5.attribute(model.weights, "keras_version"))


READERS: Mapping[str, Callable[[ModelFile], KerasModel]] = MappingProxyType(
    {"keras": read_zip, "h5": read_h5, "json": read_json}
)


@contextmanager
def named(file: Path, name: str) -> Iterator[Path]:
    """The file under another name: Keras goes by names to tell formats apart."""
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        link = Path(folder, name)
        link.symlink_to(file.resolve())
        yield link
