"""HDF5 files, looked into without Keras: what they hold, and whether they reach outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from plumbline.archive.damage import told
from plumbline.archive.json_files import LARGEST_JSON
from plumbline.errors import ArchiveError, EngineError, UnsafeModel

SUFFIXES = (".h5", ".hdf5")

MAGIC = b"\x89HDF\r\n\x1a\n"

SAVE = "model.save('model.keras') writes one that can be read."

SUSPICIOUS_SIZE = 1024**3
SUSPICIOUS_RATIO = 50
"""Weights hardly compress: more than so many times the file's size, above 1 GiB, is a bomb."""


def is_hdf5(file: Path) -> bool:
    """Whether the file begins as HDF5 does."""
    with file.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def library() -> Any:
    """h5py. Raises `EngineError` where it is not installed."""
    try:
        import h5py
    except ImportError as exc:
        raise EngineError(
            "HDF5 files need h5py, which is not installed: install '.[tensorflow]' in Plumbline's "
            "checkout, as its README says."
        ) from exc
    return h5py


@contextmanager
def opened(file: Path | IO[bytes], name: str) -> Iterator[Any]:
    """The file, open for reading. Raises `ArchiveError`, in the block too."""
    h5py = library()
    with told(name, "HDF5"), h5py.File(file, "r") as h5:
        yield h5


def is_whole_model(file: Path) -> bool:
    """Whether the file holds an architecture, not weights alone."""
    with opened(file, file.name) as h5:
        return "model_config" in h5.attrs


WEIGHTS = frozenset({"layers", "_layer_checkpoint_dependencies", "vars", "model_weights"})
"""Groups that files of weights have at their top."""


def is_weights(file: Path) -> bool:
    """Whether the file holds a model's weights, of any Keras."""
    with opened(file, file.name) as h5:
        return "layer_names" in h5.attrs or not WEIGHTS.isdisjoint(h5)


def is_legacy_weights(file: Path) -> bool:
    """Whether weights are kept by layer, as all files but Keras 3's `.weights.h5` keep them."""
    with opened(file, file.name) as h5:
        return "layer_names" in h5.attrs or "model_weights" in h5


def attribute(file: Path, name: str) -> str | None:
    """A text kept in the file's root, None if there is none."""
    with opened(file, file.name) as h5:
        value = small(h5, name, file.name) if name in h5.attrs else None
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return value if isinstance(value, str) else None


def small(h5: Any, name: str, source: str) -> Any:
    """An attribute that is one text. Raises `ArchiveError` where it is an array, or very long."""
    found = h5.attrs.get_id(name)
    if found.shape != () or found.get_storage_size() > LARGEST_JSON:
        raise ArchiveError(f"{source} is damaged: its {name} is not a text.")
    return h5.attrs[name]


def check(file: Path | IO[bytes], name: str, size: int) -> None:
    """Raise `UnsafeModel` if a file of `size` bytes reaches outside itself or is a bomb."""
    total = 0
    with opened(file, name) as h5:
        for path, dataset in datasets(h5, name):
            if dataset.dtype.kind == "O" or dataset.is_virtual or dataset.external:
                raise UnsafeModel(
                    f"{name} is refused: {path} is not a plain array of numbers. {SAVE}"
                )
            total += dataset.nbytes
    if total > max(SUSPICIOUS_SIZE, SUSPICIOUS_RATIO * size):
        raise UnsafeModel(
            f"{name} is refused: its {size:,} bytes would unpack to {total:,}, as a bomb does. "
            f"{SAVE}"
        )


def datasets(root: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every array by its path; links are looked at, not followed. Raises `UnsafeModel`."""
    h5py = library()
    waiting, seen = [root], set()
    while waiting:
        group = waiting.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise UnsafeModel(f"{name} is refused: {key!r} is a link to another file. {SAVE}")
            if isinstance(link, h5py.SoftLink):
                continue
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:  # hard links can make circles
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                yield item.name, item
