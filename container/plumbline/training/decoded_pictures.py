"""The pictures of a data set as the server decodes and resizes them, kept where they fit."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from plumbline.errors import PlumblineError
from plumbline.machine import cgroups
from plumbline.pipeline.preprocess import normalized, resizer, stays_bytes
from plumbline.spec.model_spec import Preprocess
from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry
from plumbline.vision.arrays import Tensor
from plumbline.vision.crops import fit_of
from plumbline.vision.fit import place
from plumbline.vision.geometry import Geometry
from plumbline.vision.images import COLORS, Limits, read_picture

MEMORY_SHARE = 0.4
"""Of the memory that is free, what decoded pictures may take."""

DISK_SHARE = 0.6
"""Of the free disk behind /tmp, likewise."""

Result = TypeVar("Result")

NAMED = 10
"""Pictures that can't be used are named, up to so many."""


@dataclass(frozen=True)
class How:
    """How pictures are decoded: as `[preprocess]` says, to `size`, (height, width)."""

    preprocess: Preprocess
    size: tuple[int, int]
    limits: Limits = field(default_factory=Limits)

    @property
    def shape(self) -> tuple[int, int, int]:
        """`[height, width, channels]` of what comes out."""
        return (*self.size, COLORS[self.preprocess.color][0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Bytes, where the filter leaves bytes."""
        return np.dtype(np.uint8 if stays_bytes(self.preprocess) else np.float32)

    def resized(self, data: bytes) -> Tensor:
        """A picture's bytes, decoded and resized, not yet normalised. Raises an `ImageError`."""
        return self.laid(data)[0]

    def laid(self, data: bytes) -> tuple[Tensor, Geometry]:
        """The same, and how the picture lies in it."""
        how = self.preprocess
        picture = read_picture(
            data, color=how.color, exif=how.exif, limits=self.limits, decoder=how.decoder
        )
        return place(picture.pixels, self.size, fit_of(how.fit), resizer(how), picture.orientation)

    def normalized(self, values: Tensor) -> Tensor:
        """Some of these, `[n, height, width, channels]`, as the model takes them: float32."""
        return normalized(values, self.preprocess).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Bad:
    """A picture that can't be used, and why."""

    name: str
    reason: str


class DecodedPictures:
    """The pictures of some entries by their number, without those that can't be used.

    Each is decoded once if all fit into the memory that is free, or onto the disk behind /tmp;
    else whenever it is asked for.
    """

    def __init__(self, entries: Sequence[Entry[Any]], how: How, threads: int) -> None:
        self.how, self.threads = how, threads
        self.entries = tuple(entries)
        self.bad: list[Bad] = []
        self.kept = room((len(entries), *self.shape), how.dtype)
        self.digest = ""
        """SHA-256 of the labels and the bytes of the pictures that can be used, in their order."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """`[height, width, channels]` of what is kept of each."""
        return self.how.shape

    def check(self, max_bad: float, done: Callable[[str], None] = lambda _: None) -> None:
        """Decode each once. Raises `DataError` if more than this share of them can't be used."""
        good: list[Entry[Any]] = []
        digest = hashlib.sha256()
        for found, read, entry in self.each(self.first, self.entries):
            done(entry.name)
            if isinstance(found, Bad):
                self.bad.append(found)
                continue
            if self.kept is not None:
                self.kept[len(good)] = found
            digest.update(repr(entry.label).encode() + read)
            good.append(entry)
        self.digest = digest.hexdigest()
        if len(self.bad) > max_bad * len(self.entries) or not good:
            raise DataError(too_many(self.bad, len(self.entries), max_bad))
        self.entries = tuple(good)

    def first(self, entry: Entry[Any]) -> tuple[Tensor | Bad, bytes, Entry[Any]]:
        """One of them, resized, the SHA-256 of its bytes, and the entry with its final label."""
        try:
            data = entry.read()
            values, label = self.understood(data, entry)
            return values, hashlib.sha256(data).digest(), entry.labelled(label)
        except PlumblineError as exc:
            return Bad(entry.name, exc.message), b"", entry

    def understood(self, data: bytes, entry: Entry[Any]) -> tuple[Tensor, Any]:
        """A picture's bytes, resized, and its label; raises a `PlumblineError` for bad ones.

        A recipe whose labels lie in pictures has its own way with them.
        """
        return self.how.resized(data), entry.label

    def decoded(self, entry: Entry[Any]) -> Tensor | Bad:
        """One of them, resized."""
        return self.first(entry)[0]

    def batch(self, numbers: Sequence[int]) -> Tensor:
        """`[n, height, width, channels]`, resized and not normalised, of these numbers."""
        if self.kept is not None:
            batch: Tensor = self.kept[np.asarray(numbers)]
            return batch
        chosen = [self.entries[number] for number in numbers]
        found = list(self.each(self.decoded, chosen))
        for one in found:
            if isinstance(one, Bad):
                raise DataError(f"{one.name} was a picture at first, and is none now: {one.reason}")
        return np.stack(found)  # type: ignore[arg-type]

    def each(
        self, work: Callable[[Entry[Any]], Result], entries: Iterable[Entry[Any]]
    ) -> Iterator[Result]:
        """The work done on each, in order, on all threads, and never far ahead of who asks."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting = []
            for entry in entries:
                waiting.append(pool.submit(work, entry))
                if len(waiting) > 4 * self.threads:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()


def room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor | None:
    """Where so many decoded pictures go: memory, a file without a name in /tmp, or nowhere."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = cgroups.memory()
    if size <= MEMORY_SHARE * (memory.limit - memory.used):
        return np.empty(shape, dtype)
    folder = Path(tempfile.gettempdir())
    if size <= DISK_SHARE * shutil.disk_usage(folder).free:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.truncate(file.fileno(), size)
            return np.memmap(file, dtype, "r+", shape=shape)
    return None


def too_many(bad: Sequence[Bad], count: int, max_bad: float) -> str:
    """The sentence about pictures that can't be used, with the first of them."""
    listed = "; ".join(f"{one.name}: {one.reason}" for one in bad[:NAMED])
    more = f"; and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
    return (
        f"{len(bad):,} of {count:,} pictures can't be used, and max_bad allows "
        f"{max_bad:.2%}. Mend or remove them, or raise max_bad: {listed}{more}"
    )
