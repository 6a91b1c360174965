"""Augmented manifests, as Ground Truth writes them: a line of JSON a picture.

They come in two ways. As a plain channel, with the pictures in another: a line's `source-ref` is an
address in S3, and the file is the one whose path in that channel the address ends with. As a pipe:
RecordIO, and each attribute a record of its own, first the picture, then its label.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry

SOURCE = "source-ref"
METADATA = "-metadata"

Annotation = Any
"""The value of a label attribute, as JSON has it."""


@dataclass(frozen=True)
class Line:
    """One line: the picture's address, the label attribute, its value, and what is said of it.

    `fault` says why it has no label; pictures are found that nobody has labelled.
    """

    where: str
    source: str
    attribute: str
    label: Annotation
    metadata: Mapping[str, Any]
    fault: str = ""


def lines(text: str, name: str, attribute: str | None = None) -> list[Line]:
    """The lines of a manifest; a label attribute must be named where a line has several.

    Raises `DataError`, with the line and the attribute; also where no line has a label.
    """
    found = [
        line(row, f"{name}, line {number}", attribute)
        for number, row in enumerate(text.splitlines(), 1)
        if row.strip()
    ]
    if found and all(each.fault for each in found):
        raise DataError(f"{found[0].where}: {found[0].fault} Nor has any other line.")
    return found


def line(row: str, where: str, attribute: str | None) -> Line:
    """One line that isn't empty."""
    try:
        found = json.loads(row)
    except ValueError as exc:
        raise DataError(f"{where} is not JSON: {exc}.") from exc
    if not isinstance(found, dict) or not isinstance(found.get(SOURCE), str):
        raise DataError(f"{where} has no {SOURCE!r}, the address of its picture.")
    names = sorted(key for key in found if key != SOURCE and not key.endswith(METADATA))
    if attribute is None and len(names) > 1:
        raise DataError(
            f"{where} has several label attributes ({', '.join(names)}); name one with "
            "label_attribute."
        )
    chosen = attribute or "".join(names)
    # That of x-ref is x-ref-metadata in Ground Truth's own manifests, x-metadata in AWS's examples.
    metadata = found.get(chosen + METADATA, found.get(chosen.removesuffix("-ref") + METADATA))
    if not isinstance(metadata, dict):
        metadata = {}
    fault = "" if chosen in names else unlabelled(chosen, names, metadata)
    return Line(where, found[SOURCE], chosen, found.get(chosen), metadata, fault)


def unlabelled(attribute: str, names: Sequence[str], metadata: Mapping[str, Any]) -> str:
    """Why a line has no label."""
    reason = metadata.get("failure-reason")
    told = f" ({str(reason)[:80]})" if reason else ""
    return f"there is no label {attribute!r}{told}; there is {', '.join(names) or 'none'}."


def entries(found: Iterable[Line], pictures: Path) -> Iterator[Entry[Line]]:
    """The lines' pictures, which lie below a folder; with a fault where one doesn't."""
    for each in found:
        file, fault = file_at(each.source, pictures, each.where)
        told = f"{each.where}: {each.fault}" if each.fault else fault
        yield Entry(each.source, file, each, fault=told)


def file_at(address: str, folder: Path, where: str) -> tuple[Path, str]:
    """The file in the folder that the address ends with, the longest path first, and a fault.

    There is one where there is no such file.
    """
    key = PurePosixPath(urlsplit(address).path.lstrip("/"))
    parts = [part for part in key.parts if part not in ("..", "/")]
    for start in range(len(parts)):
        if (file := folder.joinpath(*parts[start:])).is_file():
            return file, ""
    return folder, f"is not in the channel {folder.name!r}, as {where} has it."
