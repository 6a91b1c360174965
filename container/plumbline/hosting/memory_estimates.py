"""What loading an archive will take: a guess by its files, then what it took the last time.

The guess was fitted to what models took of their own (`process.memory_of`), two cores, batches of
one, in MiB: TensorFlow took 37 for a constant, 81 for a CNN with 25 of weights, 293 for MobileNetV2
(28 of weights, a graph of 1.6), 447 for a dense layer (403), 483 for ResNet-50 (205, 2.0); OpenVINO
27 for a CNN with 0.3 of weights, 99 for MobileNetV2 (14), 556 for ResNet-50 (102), 606 for the
dense layer (201). It is to err upwards: a model that turns out smaller is remembered as such.
"""

from __future__ import annotations

import hashlib
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from plumbline.archive import accelerated_files
from plumbline.hosting.errors import ModelNotLoadable
from plumbline.machine.allocator import MEBIBYTE

MOST_FILES = 20_000

PACKED, PLAIN = "openvino", "tensorflow"
"""An archive in a form for OpenVINO, and one that TensorFlow has to be asked about."""


@dataclass(frozen=True)
class Coefficients:
    """Bytes of memory: for any model, for a byte of its weights, and for one of its graph."""

    base: int
    weights: float
    graph: float


COEFFICIENTS = {
    PACKED: Coefficients(32 * MEBIBYTE, 6, 0),
    PLAIN: Coefficients(72 * MEBIBYTE, 3, 140),
}


def kind_of(root: Path) -> str:
    """Which kind of archive lies in the folder; a damaged one is found out when it is loaded."""
    return PACKED if (root / accelerated_files.FOLDER / accelerated_files.FILE).is_file() else PLAIN


def guess(root: Path, kind: str) -> int:
    """Bytes that loading will take, by the sizes of the files."""
    factors, folder = COEFFICIENTS[kind], root / accelerated_files.FOLDER
    graph = weights = 0
    for file, size in sizes(folder if kind == PACKED else root):
        if file.suffix in (".pb", ".xml", ".json"):
            graph += size
        else:
            weights += size
    return int(factors.base + factors.weights * weights + factors.graph * graph)


def sizes(root: Path) -> Iterator[tuple[Path, int]]:
    """Every file below the folder, and its bytes; links are not followed.

    Raises `ModelNotLoadable` where there are too many for a model, or some that can't be looked at.
    """
    try:
        found = sorted(islice(root.rglob("*"), MOST_FILES + 1))
        measured = [(file, file.lstat()) for file in found]
    except OSError as exc:
        raise ModelNotLoadable(f"The files in {root} can't be read: {exc.strerror}.") from exc
    if len(found) > MOST_FILES:
        raise ModelNotLoadable(
            f"{root} is no model's folder: it holds more than {MOST_FILES:,} files. Name "
            "the folder that one model.tar.gz was unpacked into."
        )
    for file, status in measured:
        if stat.S_ISREG(status.st_mode):
            yield file, status.st_size


def fingerprint(root: Path) -> str:
    """What tells this archive from another one, or another state of it, without reading it."""
    found = [(str(file), size, modified(file)) for file, size in sizes(root)]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def modified(file: Path) -> int:
    """When it was changed; 0 where it has gone since."""
    try:
        return file.lstat().st_mtime_ns
    except OSError:
        return 0


class Estimates:
    """Guesses, and what loads have really taken."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def of(self, root: Path, kind: str) -> int:
        """Bytes that loading the archive is estimated to take."""
        with self._lock:
            taken = self._taken.get(fingerprint(root))
        return guess(root, kind) if taken is None else taken

    def learn(self, root: Path, taken: int) -> None:
        """Remember what it took; the most of all times counts."""
        key = fingerprint(root)
        with self._lock:
            self._taken[key] = max(taken, self._taken.get(key, 0))
