"""The job's channels → labelled pictures, whatever layout they have, and the classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.training import class_labels
from plumbline.training.channel_layouts import (
    FOLDERS,
    LISTINGS,
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
from plumbline.training.errors import DataError
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Channel, Job
from plumbline.training.readers import augmented_manifest, class_folders, listings
from plumbline.training.readers.augmented_manifest import Line
from plumbline.training.readers.entries import Entry, Labelled


@dataclass(frozen=True)
class Data:
    """What is learnt from, what is validated on, and what the classes are called."""

    train: Labelled[Any]
    validation: Labelled[Any]
    classes: tuple[str, ...]


def read_data(job: Job, values: Values, scratch: Path) -> Data:
    """All of the job's data; what comes through pipes goes to a file in `scratch` first.

    Raises `TrainingError` for channels and `DataError` for what they hold.
    """
    train = read_channel(job, first_of(job, TRAIN, required=True), values, scratch)
    name = first_of(job, VALIDATION)
    count = class_labels.agreed(train, values["num_classes"], "the training data")
    names = named(train, count, values["class_names"])
    class_labels.demand_each(train, count, names, "the training data")
    if not name:
        return Data(*split(train, values["validation_split"], values["seed"]), names)
    validation = read_channel(job, name, values, scratch)
    if train.classes and validation.classes and train.classes != validation.classes:
        validation = renumbered(validation, train.classes, name)
    class_labels.agreed(validation, count, f"the channel {name}")
    return Data(train, validation, names)


def read_channel(job: Job, name: str, values: Values, scratch: Path) -> Labelled[Any]:
    """The pictures and classes of one channel. Raises `DataError`."""
    channel = job.channels[name]
    several = values["multi_label"]
    if channel.mode == "Pipe":
        return read_pipe(channel, several, scratch)
    if (listing := job.channels.get(f"{name}_lst")) is not None:
        return numbered(listed(listing.path, channel.path), several)
    kind, files = layout_of(channel)
    if kind == FOLDERS:
        if several:
            raise DataError(
                f"The channel {name} has a folder a class, so each picture has one class; with "
                "multi_label=1 give RecordIO files, .lst files or an augmented manifest."
            )
        return class_folders.read_folder(channel.path)
    if kind == RECORDS:
        return numbered([entry for each in files for entry in records_of(each)], several)
    if kind == LISTINGS:
        found = [one for each in files for one in listings.read_file(each, channel.path)]
        return numbered(found, several)
    return manifest(files, pictures_of(job, name), values["label_attribute"], several)


def layouts(job: Job) -> dict[str, str]:
    """What each channel of pictures holds, in words. Raises `DataError` for nothing."""
    return {
        name: LISTINGS if f"{name}_lst" in job.channels else layout_of(channel)[0]
        for name, channel in job.channels.items()
        if name in (*TRAIN, *VALIDATION)
    }


def layout_of(channel: Channel) -> tuple[str, list[Path]]:
    """The one layout that a channel has, and the files that say so. Raises `DataError`."""
    found = dict(found_in(channel.path))
    if len(found) != 1:
        raise DataError(of_no_layout(channel, found))
    return next(iter(found.items()))


def of_no_layout(channel: Channel, found: Mapping[str, list[Path]]) -> str:
    """The sentence for a channel that holds nothing to learn from, or too much."""
    every = "; ".join((FOLDERS, RECORDS, LISTINGS, MANIFEST))
    if found:
        each = " and ".join(f"{kind} ({files[0].name})" for kind, files in found.items())
        return f"The channel {channel.name} holds {each}; keep one of them in it."
    if not channel.path.exists():
        return f"The channel {channel.name} has no data: {channel.path} is not there."
    return (
        f"The channel {channel.name} holds no labelled pictures. It has to hold one of these: "
        f"{every}."
    )


def listed(folder: Path, pictures: Path) -> list[Entry[tuple[float, ...]]]:
    """What the `.lst` files of a channel list. Raises `DataError`."""
    files = sorted(folder.glob("*.lst")) if folder.is_dir() else [folder]
    if not files:
        raise DataError(f"The channel {folder.name} holds no .lst file.")
    return [entry for file in files for entry in listings.read_file(file, pictures)]


def numbered(entries: list[Entry[tuple[float, ...]]], several: bool) -> Labelled[Any]:
    """Entries with numbers for labels, as classes. Raises `DataError`."""
    if not entries:
        raise DataError("The lists name no pictures.")
    return class_labels.of_numbers(Labelled(entries), several)


def manifest(
    files: list[Path], pictures: Path, attribute: str | None, several: bool
) -> Labelled[Any]:
    """The pictures of augmented manifests. Raises `DataError`."""
    found: list[Entry[Line]] = []
    for file in files:
        lines = augmented_manifest.lines(text_of(file), file.name, attribute)
        found += augmented_manifest.entries(lines, pictures)
    if not found:
        raise DataError(f"{files[0].name} has no lines.")
    return class_labels.of_lines(Labelled(found), several)


def read_pipe(channel: Channel, several: bool, scratch: Path) -> Labelled[Any]:
    """The first epoch of a pipe, kept in a file: RecordIO, or an augmented manifest's attributes.

    Raises `DataError`.
    """
    file = first_epoch(channel, scratch)
    if not channel.framed:
        return numbered(records_of(file), several)
    return class_labels.of_lines(Labelled(list(pairs(file, channel.name))), several)


def named(found: Labelled[Any], count: int, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """What the classes are called. Raises `DataError`."""
    if given and len(given) != count:
        raise DataError(f"class_names has {len(given)} names, and the data has {count} classes.")
    names = given or found.classes or tuple(str(number) for number in range(count))
    class_labels.demand_lines(names)
    return names


def renumbered(found: Labelled[Any], classes: tuple[str, ...], name: str) -> Labelled[Any]:
    """The entries with the numbers that the classes have in training. Raises `DataError`."""
    if unknown := [each for each in found.classes if each not in classes]:
        raise DataError(
            f"The channel {name} has the class {unknown[0]!r}, which the training data has not; "
            f"that has {', '.join(classes[:10])}."
        )
    number = {place: classes.index(each) for place, each in enumerate(found.classes)}
    return Labelled([entry.labelled(number[entry.label]) for entry in found.entries], classes)


def split(found: Labelled[Any], share: float, seed: int) -> tuple[Labelled[Any], Labelled[Any]]:
    """The entries without a share of each class, and that share; both in their own order.

    Raises `DataError` where too few are left.
    """
    groups: dict[Any, list[int]] = {}
    for place, entry in enumerate(found.entries):
        groups.setdefault(entry.label, []).append(place)
    chooser = np.random.Generator(np.random.PCG64(seed))
    held: set[int] = set()
    for _, places in sorted(groups.items()):
        count = min(len(places) - 1, max(1, round(share * len(places))))
        held.update(int(place) for place in chooser.permutation(places)[:count])
    if not held:
        raise DataError(
            "There is one picture of each class only: nothing is left to validate on. Give more "
            "pictures, or a channel validation."
        )
    sides: tuple[list[Entry[Any]], list[Entry[Any]]] = ([], [])
    for place, entry in enumerate(found.entries):
        sides[place in held].append(entry)
    return Labelled(sides[0], found.classes), Labelled(sides[1], found.classes)
