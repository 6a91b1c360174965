"""A job's channels by their names, and in which layout the pictures and labels of one lie."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from plumbline.training import pipes
from plumbline.training.errors import DataError, TrainingError
from plumbline.training.job import Channel, Job
from plumbline.training.readers import class_folders, picture_records
from plumbline.training.readers.augmented_manifest import Line
from plumbline.training.readers.entries import Entry
from plumbline.training.readers.recordio import records

TRAIN = ("train", "training")
VALIDATION = ("validation", "test")

MANIFESTS = (".manifest", ".jsonl")
"""How files end that hold a line of JSON a picture."""

PIECE = 1 << 20


def first_of(job: Job, names: tuple[str, ...], required: bool = False) -> str:
    """The channel of the job that has one of these names; raises `TrainingError` for none."""
    found = next((name for name in names if name in job.channels), "")
    if required and not found:
        raise TrainingError(
            f"The job has the channels {', '.join(job.channels)} and none that is called "
            f"{' or '.join(names)}: call the one with the pictures to learn from so."
        )
    return found


FOLDERS = "a folder of pictures for each class"
RECORDS = "RecordIO files (.rec)"
LISTINGS = ".lst files"
MANIFEST = "an augmented manifest"


def found_in(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """The layouts that a channel may have, and the files that say so."""
    plain = sorted(files_below(folder)) if folder.is_dir() else [folder] * folder.is_file()
    ends: Mapping[str, Callable[[Path], bool]] = {
        RECORDS: lambda path: path.suffix == ".rec",
        LISTINGS: lambda path: path.suffix == ".lst",
        MANIFEST: lambda path: path.suffix in MANIFESTS,
    }
    for kind, is_one in ends.items():
        if found := [path for path in plain if is_one(path)]:
            yield kind, found
    if any(path.suffix in (".lst", *MANIFESTS) for path in plain):
        return
    top = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for picture in (path for each in top for path in class_folders.files(each)):
        yield FOLDERS, [picture]
        return


def files_below(folder: Path) -> Iterator[Path]:
    """All files that are not hidden, with no look at any of them: there may be millions."""
    for top, _, names in os.walk(folder):
        yield from (Path(top, name) for name in names if not name.startswith("."))


def records_of(file: Path) -> list[Entry[tuple[float, ...]]]:
    """The pictures of a `.rec` file. Raises `DataError` where it holds none."""
    found = picture_records.read_file(file)
    if not found:
        raise DataError(f"{file.name} is empty; copy it again, or recreate it with im2rec.py.")
    return found


def text_of(file: Path) -> str:
    """A file's text. Raises `DataError`."""
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(f"{file.name} is not UTF-8 text.") from exc


def pictures_of(job: Job, name: str) -> Path:
    """Where the pictures of a manifest lie: in a channel of their own, or beside it."""
    for other in (f"{name}_pictures", f"{name}_images", "pictures", "images"):
        if other in job.channels:
            return job.channels[other].path
    return job.channels[name].path


def first_epoch(channel: Channel, scratch: Path) -> Path:
    """The first epoch of a pipe, kept in a file. Raises `TrainingError`."""
    file = scratch / f"{channel.name}.rec"
    with pipes.open_epoch(channel, 0) as stream, file.open("wb") as target:
        while piece := stream.read(PIECE):
            target.write(piece)
    return file


def pairs(file: Path, name: str) -> Iterator[Entry[Line]]:
    """Records that come in twos: a picture, and the JSON of its label. Raises `DataError`."""
    waiting: int | None = None
    number = 0
    with file.open("rb") as stream:
        for record in records(stream, name):
            if waiting is None:
                waiting = record.offset
                continue
            number += 1
            where = f"{name}, picture {number}"
            yield Entry(where, file, label_of(record.data, where), waiting)
            waiting = None
    if waiting is not None or not number:
        raise DataError(
            f"The channel {name} has {'a picture without a label' if number else 'no records'}: "
            "AttributeNames has to be the picture's attribute and one label attribute, in this "
            'order, as in ["source-ref", "class"].'
        )


def label_of(data: bytes, where: str) -> Line:
    """What a record says of the picture before it. Raises `DataError`."""
    try:
        label = json.loads(data)
    except ValueError as exc:
        raise DataError(
            f"{where}: its label is {data[:40]!r}, which is no JSON. AttributeNames has to be the "
            'picture\'s attribute and one label attribute, as in ["source-ref", "class"].'
        ) from exc
    return Line(where, where, "label", label, {})
