"""Pictures in RecordIO as `im2rec.py` packs them: a header, numbers for a label, a JPEG or a PNG.

The header is MXNet's `IRHeader` (mxnet/recordio.py): a count of numbers, one number, two
identifiers. With a count, so many float32 follow it, and the number in the header means nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry
from plumbline.training.readers.recordio import Readable, Record, is_protobuf, records

HEADER = struct.Struct("<IfQQ")
NUMBER = 4

Numbers = tuple[float, ...]


def read_file(file: Path) -> list[Entry[Numbers]]:
    """All pictures of a `.rec` file, where they lie in it. Raises `DataError`."""
    try:
        with file.open("rb") as stream:
            return list(entries(stream, file))
    except OSError as exc:
        raise DataError(f"{file.name} can't be read: {exc.strerror}.") from exc


def entries(stream: Readable, file: Path) -> Iterator[Entry[Numbers]]:
    """The same of what is read from a stream and lies in the file."""
    for record in records(stream, file.name):
        name = f"{file.name} at byte {record.offset:,}"
        label, skip = numbers(record, name)
        yield Entry(name, file, label, record.offset, skip)


def numbers(record: Record, name: str) -> tuple[Numbers, int]:
    """The label's numbers, and where the picture begins. Raises `DataError`."""
    if is_protobuf(record.data):
        raise DataError(
            f"{name} is a protobuf record (application/x-recordio-protobuf), which holds numbers "
            "and no pictures. Pack the pictures with im2rec.py, or send them as files."
        )
    if len(record.data) < HEADER.size:
        raise DataError(
            f"{name} has {len(record.data)} bytes, fewer than the {HEADER.size} of im2rec's header."
        )
    count, alone, _, _ = HEADER.unpack_from(record.data)
    end = HEADER.size + NUMBER * count
    if end > len(record.data):
        raise DataError(
            f"{name} says that its label has {count:,} numbers, and is shorter than that: it was "
            "not packed by im2rec.py, or is damaged."
        )
    if not count:
        return (alone,), HEADER.size
    return struct.unpack_from(f"<{count}f", record.data, HEADER.size), end


def pack(picture: bytes, label: Numbers, identifier: int) -> bytes:
    """A record as `mxnet.recordio.pack` makes it."""
    if len(label) == 1:
        return HEADER.pack(0, label[0], identifier, 0) + picture
    head = HEADER.pack(len(label), 0.0, identifier, 0)
    return head + struct.pack(f"<{len(label)}f", *label) + picture
