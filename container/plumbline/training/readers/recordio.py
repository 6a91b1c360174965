"""RecordIO, the frames that MXNet's tools and SageMaker's Pipe mode put around records.

A frame is the magic number, a word of three bits and a length, the data, and zeros up to a multiple
of four (`recordio.h` and `recordio.cc` of dmlc-core). Data that holds the magic number at such a
multiple was split there when it was written: the parts are joined with the number between them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from plumbline.training.errors import DataError

MAGIC = struct.pack("<I", 0xCED7230A)
HEAD = struct.Struct("<4sI")
LENGTH = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)
FOLLOWS = {
    WHOLE: (WHOLE, FIRST),
    FIRST: (MIDDLE, LAST),
    MIDDLE: (MIDDLE, LAST),
    LAST: (WHOLE, FIRST),
}
"""Which parts may come after which."""

PROTOBUF = 0x0A
"""The first byte of a protobuf `Record`: the field of its features."""


class Readable(Protocol):
    """A file or a pipe."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one record holds, and where in the stream its first frame begins."""

    offset: int
    data: bytes


class Frames:
    """A stream, read frame by frame, and how far it was read."""

    def __init__(self, stream: Readable, name: str) -> None:
        self.stream, self.name, self.offset = stream, name, 0

    def take(self, size: int, start: int) -> bytes:
        """So many bytes, however a pipe deals them. Raises `DataError` where it ends before."""
        parts, missing = [], size
        while missing and (part := self.stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        if missing and (parts or start != self.offset or size != HEAD.size):
            raise DataError(
                f"{self.name} breaks off in the record that begins at byte {start:,}: "
                f"{missing:,} bytes are missing. Copy the file again, or recreate it."
            )
        self.offset += size - missing
        return b"".join(parts)

    def frame(self) -> tuple[int, bytes] | None:
        """The kind and the data of the next frame; none at the end."""
        start = self.offset
        head = self.take(HEAD.size, start)
        if not head:
            return None
        magic, word = HEAD.unpack(head)
        if magic != MAGIC:
            raise DataError(
                f"{self.name} is no RecordIO from byte {start:,} on: a record has to begin there "
                f"with the bytes {MAGIC.hex(' ')}, and there are {magic.hex(' ')}. "
                "Recreate the file with im2rec.py."
            )
        size = word & LENGTH
        data = self.take(size, start)
        self.take(-size % 4, start)
        return word >> 29, data


def records(stream: Readable, name: str) -> Iterator[Record]:
    """The records of a file or a pipe, in one pass.

    Raises `DataError`, with the name and the byte, for what is no RecordIO or breaks off.
    """
    frames, before, start = Frames(stream, name), LAST, 0
    parts: list[bytes] = []
    while (found := frames.frame()) is not None:
        kind, data = found
        if kind not in FOLLOWS[before]:
            raise DataError(
                f"{name} is damaged before byte {frames.offset:,}: a part of a record is missing. "
                "Copy the file again, or recreate it."
            )
        if kind in (WHOLE, FIRST):
            start, parts = frames.offset - HEAD.size - len(data) - -len(data) % 4, [data]
        else:
            parts += [MAGIC, data]
        if kind in (WHOLE, LAST):
            yield Record(start, b"".join(parts))
        before = kind
    if before in (FIRST, MIDDLE):
        raise DataError(
            f"{name} breaks off in the record that begins at byte {start:,}: its last part is "
            "missing. Copy the file again, or recreate it."
        )


def frame(data: bytes) -> bytes:
    """A record as `dmlc::RecordIOWriter` writes it."""
    cuts = [at for at in range(0, len(data) - 3, 4) if data[at : at + 4] == MAGIC]
    starts, ends = [0, *(cut + 4 for cut in cuts)], [*cuts, len(data)]
    last = len(cuts)
    framed = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kind = WHOLE if not last else FIRST if not number else LAST if number == last else MIDDLE
        part = data[start:end]
        framed += [HEAD.pack(MAGIC, kind << 29 | len(part)), part, bytes(-len(part) % 4)]
    return b"".join(framed)


def is_protobuf(data: bytes) -> bool:
    """Whether a record is of the protobuf format that SageMaker's linear learner takes."""
    return data[:1] == bytes([PROTOBUF]) and data[1:4] != bytes(3)
