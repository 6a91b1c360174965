"""The job's channels → pictures with boxes, whatever layout they have, and the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plumbline.training import class_labels
from plumbline.training.boxed_channels import ANNOTATIONS
from plumbline.training.channel_layouts import (
    MANIFEST,
    RECORDS,
    TRAIN,
    VALIDATION,
    first_epoch,
    first_of,
    found_in,
    pairs,
    pictures_of,
    records_of,
    text_of,
)
from plumbline.training.class_labels import class_map
from plumbline.training.errors import DataError
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Channel, Job
from plumbline.training.object_detectors import annotation_files
from plumbline.training.object_detectors.annotation_files import Found, Names
from plumbline.training.object_detectors.annotations import Boxes, of_label, of_numbers
from plumbline.training.readers import augmented_manifest
from plumbline.training.readers.augmented_manifest import Line
from plumbline.training.readers.entries import Entry

EXPECTED = (
    "pictures, with a channel beside it that has a JSON file for each (train_annotation, "
    f"validation_annotation); RecordIO files (.rec); an augmented manifest; or {ANNOTATIONS} and "
    f"{annotation_files.IMAGES}/"
)

Entries = Sequence[Entry[Boxes]]


@dataclass(frozen=True)
class Data:
    """What is learnt from, what is validated on, and what the classes are called."""

    train: Entries
    validation: Entries
    classes: tuple[str, ...]


def read_data(job: Job, values: Values, scratch: Path) -> Data:
    """All of the job's data; what comes through pipes goes to a file in `scratch` first.

    Raises `TrainingError` for channels and `DataError` for what they hold.
    """
    name = first_of(job, TRAIN, required=True)
    everything, names = read_channel(job, name, values, scratch)
    count, held = len(everything), first_of(job, VALIDATION)
    if held:
        validation, more = read_channel(job, held, values, scratch)
        everything, names = [*everything, *validation], {**more, **names}
    if (job.channels[name].path / ANNOTATIONS).is_file():
        everything, names = counted_from_zero(everything, names)
    classes = class_names(everything, names, values)
    everything = [known(entry, classes, names, values) for entry in everything]
    if held:
        return Data(everything[:count], everything[count:], classes)
    return Data(*split(everything, values["validation_split"], values["seed"]), classes)


def read_channel(job: Job, name: str, values: Values, scratch: Path) -> Found:
    """The pictures and boxes of one channel, and the classes' names. Raises `DataError`."""
    channel = job.channels[name]
    if channel.mode == "Pipe":
        return read_pipe(channel, scratch)
    if (annotation := job.channels.get(f"{name}_annotation")) is not None:
        return annotation_files.read_folder(annotation.path, channel.path)
    if (channel.path / ANNOTATIONS).is_file():
        return annotation_files.read_document(channel.path)
    found = dict(found_in(channel.path)) if channel.path.exists() else {}
    layouts = {kind: found[kind] for kind in (RECORDS, MANIFEST) if kind in found}
    if len(layouts) != 1:
        held = " and ".join(f"{kind} ({files[0].name})" for kind, files in layouts.items())
        raise DataError(
            f"The channel {name} holds {held or 'no boxes'}. It has to hold one of these: "
            f"{EXPECTED}."
        )
    ((kind, files),) = layouts.items()
    if kind == RECORDS:
        return [entry for file in files for entry in packed(file)], {}
    lines = [
        entry
        for file in files
        for entry in augmented_manifest.entries(
            augmented_manifest.lines(text_of(file), file.name, values["label_attribute"]),
            pictures_of(job, name),
        )
    ]
    return of_lines(lines, files[0].name)


def packed(file: Path) -> list[Entry[Boxes]]:
    """The pictures of a `.rec` file. Raises `DataError`."""
    return [entry.labelled(of_numbers(entry.label, entry.name)) for entry in records_of(file)]


def of_lines(entries: Sequence[Entry[Line]], name: str) -> Found:
    """The boxes of a manifest's lines, and the names in their class maps. Raises `DataError`."""
    if not entries:
        raise DataError(f"{name} has no lines.")
    found, names = [], Names()
    for entry in entries:
        line = entry.label
        where = line.where if line.where == line.source else f"{line.where}: {line.attribute!r}"
        found.append(entry.labelled(Boxes() if line.fault else of_label(line.label, where)))
        names.update(class_map(line))
    return found, names


def read_pipe(channel: Channel, scratch: Path) -> Found:
    """The first epoch of a pipe: RecordIO, or an augmented manifest's attributes."""
    file = first_epoch(channel, scratch)
    if channel.framed:
        return of_lines(list(pairs(file, channel.name)), channel.name)
    return packed(file), {}


def counted_from_zero(entries: Entries, names: Names) -> tuple[list[Entry[Boxes]], Names]:
    """The same with classes counted from 0 in the order of their numbers, whatever those are."""
    used = {each for entry in entries for each in entry.label.class_ids}
    numbers = {each: place for place, each in enumerate(sorted(used | names.keys()))}
    renumbered = [entry.labelled(entry.label.renumbered(numbers)) for entry in entries]
    return renumbered, {numbers[each]: name for each, name in names.items()}


def class_names(entries: Entries, names: Names, values: Values) -> tuple[str, ...]:
    """What the classes are called, as many as are declared, named or seen. Raises `DataError`."""
    seen = max((each for entry in entries for each in entry.label.class_ids), default=-1) + 1
    named = max(names, default=-1) + 1
    count, given = values["num_classes"] or named or seen, values["class_names"]
    if named > count:
        raise DataError(
            f"num_classes is {count}, and the data names {named} classes, the last of them "
            f"{names[named - 1]!r}. Classes are counted from 0; set num_classes to their number."
        )
    if not count:
        raise DataError("There is no box in all of the data, so nothing to learn.")
    if given and len(given) != count:
        raise DataError(f"class_names has {len(given)} names, and the data has {count} classes.")
    found = given or tuple(names.get(number, str(number)) for number in range(count))
    class_labels.demand_lines(found)
    return tuple(found)


def known(
    entry: Entry[Boxes], classes: Sequence[str], names: Names, values: Values
) -> Entry[Boxes]:
    """The entry, with a fault if it has a box of a class that there is not."""
    exact = names.keys() if names and not values["num_classes"] else range(len(classes))
    unknown = [place for place, each in enumerate(entry.label.class_ids, 1) if each not in exact]
    if not unknown or entry.fault:
        return entry
    number = entry.label.class_ids[unknown[0] - 1]
    fault = (
        f"box {unknown[0]} is of the class {number}, and there are {len(classes)} classes, counted "
        "from 0."
    )
    return replace(entry, fault=fault)


def split(entries: Entries, share: float, seed: int) -> tuple[Entries, Entries]:
    """The entries without a share of them, and that share; both in their own order.

    Raises `DataError` where there is one only.
    """
    if len(entries) < 2:
        raise DataError(
            "There is one picture only: nothing is left to validate on. Give more pictures, or a "
            "channel validation."
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(entries))
    held = set(order[: min(len(entries) - 1, max(1, round(share * len(entries))))].tolist())
    sides: tuple[list[Entry[Boxes]], list[Entry[Boxes]]] = ([], [])
    for place, entry in enumerate(entries):
        sides[place in held].append(entry)
    return sides
