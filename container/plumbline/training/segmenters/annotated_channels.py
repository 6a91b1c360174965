"""The job's channels → pictures with their masks, and the names of the classes if they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plumbline.training import channel_layouts, masked_channels
from plumbline.training.channel_layouts import MANIFEST, TRAIN, VALIDATION, found_in
from plumbline.training.errors import DataError
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Channel, Job
from plumbline.training.readers import augmented_manifest, class_folders, mask_files
from plumbline.training.readers.augmented_manifest import Line
from plumbline.training.readers.entries import Entry
from plumbline.training.readers.mask_files import AS_THEY_ARE, LabelMap
from plumbline.training.readers.recordio import records
from plumbline.training.segmenters.masked_pictures import Annotation

LABEL_MAP = "label_map"
COLOR_MAP = "internal-color-map"
"""Where Ground Truth writes the names of the classes."""

Entries = list[Entry[Annotation]]


@dataclass(frozen=True)
class Data:
    """What is learnt from, what is validated on, and what classes are called, by their numbers."""

    train: Entries
    validation: Entries
    names: Mapping[int, str]


def read_data(job: Job, values: Values, scratch: Path) -> Data:
    """All of the job's data; what comes through pipes goes to a file in `scratch` first.

    Raises `TrainingError` for channels and `DataError` for what they hold.
    """
    attribute = values["label_attribute"]
    name = channel_layouts.first_of(job, TRAIN, required=True)
    train, names = read_channel(job, name, attribute, scratch)
    if name := channel_layouts.first_of(job, VALIDATION):
        return Data(train, read_channel(job, name, attribute, scratch)[0], names)
    return Data(*split(train, values["validation_split"], values["seed"]), names)


def read_channel(
    job: Job, name: str, attribute: str | None, scratch: Path
) -> tuple[Entries, Mapping[int, str]]:
    """The pictures of a channel with their masks, and names of classes. Raises `DataError`."""
    channel = job.channels[name]
    if channel.mode == "Pipe":
        return of_pipe(channel, label_map(job, name), scratch), {}
    if not channel.path.exists():
        raise DataError(f"The channel {name} has no data: {channel.path} is not there.")
    meaning = label_map(job, name)
    if manifests := dict(found_in(channel.path)).get(MANIFEST):
        return of_manifest(job, name, manifests, attribute, meaning)
    if annotations_of(name) not in job.channels:
        raise DataError(
            f"The channel {name} has no masks: give a channel {annotations_of(name)} with a PNG "
            "file for each picture, of the same name, or an augmented manifest."
        )
    return paired(channel, job.channels[annotations_of(name)], meaning), {}


def annotations_of(name: str) -> str:
    """The channel with the masks of another."""
    return f"{name}_annotation"


def label_map(job: Job, name: str) -> LabelMap:
    """What the values of a channel's masks mean. Raises `DataError`."""
    if (channel := job.channels.get(LABEL_MAP)) is None:
        return AS_THEY_ARE
    file = channel.path / f"{name}_label_map.json"
    if file.is_file():
        return mask_files.read_label_map(file)
    if not list(channel.path.glob("*_label_map.json")):
        raise DataError(
            f"The channel {LABEL_MAP} holds no {file.name}, which says what the values of the "
            f"masks in {annotations_of(name)} mean."
        )
    return AS_THEY_ARE


def of_pipe(channel: Channel, meaning: LabelMap, scratch: Path) -> Entries:
    """The first epoch of an augmented manifest's attributes, records that come in twos."""
    expected = (
        "RecordWrapperType has to be RecordIO, and AttributeNames the picture's and the mask's: "
        '["source-ref", "x-ref"]'
    )
    if not channel.framed:
        raise DataError(f"The channel {channel.name} is a pipe of something else: {expected}.")
    file = channel_layouts.first_epoch(channel, scratch)
    with file.open("rb") as stream:
        offsets = [record.offset for record in records(stream, channel.name)]
    if len(offsets) % 2 or not offsets:
        held = "a picture without a mask" if offsets else "no records"
        raise DataError(f"The channel {channel.name} has {held}: {expected}.")
    return [
        Entry(
            f"{channel.name}, picture {number}",
            file,
            Annotation(Entry(f"in record {2 * number}", file, None, mask), meaning),
            picture,
        )
        for number, (picture, mask) in enumerate(zip(offsets[::2], offsets[1::2], strict=True), 1)
    ]


def paired(pictures: Channel, masks: Channel, meaning: LabelMap) -> Entries:
    """Pictures and masks whose paths in their channels are the same but for the ending.

    One without the other is an entry with a fault. Raises `DataError` for a channel without any.
    """
    found = by_stem(pictures.path, class_folders.files(pictures.path))
    annotated = by_stem(masks.path, masked_channels.png_files(masks.path))
    if not found:
        raise DataError(f"The channel {pictures.name} holds no pictures.")
    if not annotated:
        raise DataError(f"The channel {masks.name} holds no PNG files, which the masks have to be.")
    entries: Entries = []
    for stem, path in found.items():
        mask = annotated.get(stem, masks.path / f"{stem}.png")
        fault = "" if stem in annotated else f"has no mask {stem}.png in the channel {masks.name}."
        name = path.relative_to(pictures.path).as_posix()
        label = Annotation(Entry(mask.name, mask, None), meaning)
        entries.append(Entry(name, path, label, fault=fault))
    for stem in sorted(annotated.keys() - found.keys()):
        mask = annotated[stem]
        fault = f"is the mask of a picture that the channel {pictures.name} has not."
        name = f"{masks.name}/{mask.relative_to(masks.path).as_posix()}"
        label = Annotation(Entry(mask.name, mask, None), meaning)
        entries.append(Entry(name, mask, label, fault=fault))
    return entries


def by_stem(folder: Path, files: Sequence[Path] | Iterator[Path]) -> dict[str, Path]:
    """Files by their paths without endings. Raises `DataError` for two of one name."""
    found: dict[str, Path] = {}
    for file in files:
        stem = file.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise DataError(
                f"The channel {folder.name} holds {found[stem].name} and {file.name}, which would "
                "have the same mask; rename one of them."
            )
        found[stem] = file
    return found


def of_manifest(
    job: Job, name: str, files: Sequence[Path], attribute: str | None, meaning: LabelMap
) -> tuple[Entries, Mapping[int, str]]:
    """What augmented manifests list: `source-ref`, and an attribute that ends in `-ref`."""
    pictures = channel_layouts.pictures_of(job, name)
    masks = job.channels.get(annotations_of(name))
    folder = masks.path if masks is not None else pictures
    entries: Entries = []
    names: dict[int, str] = {}
    for file in files:
        lines = augmented_manifest.lines(channel_layouts.text_of(file), file.name, attribute)
        for entry in augmented_manifest.entries(lines, pictures):
            mask = mask_of(entry.label, folder)
            entries.append(entry.labelled(Annotation(mask, meaning)))
            names.update(names_in(entry.label))
    if not entries:
        raise DataError(f"{files[0].name} has no lines.")
    return entries, names


def mask_of(line: Line, folder: Path) -> Entry[None]:
    """The mask that a line names. Raises `DataError` for what is no address."""
    if line.fault:
        return Entry(line.source, folder, None)
    if not isinstance(line.label, str):
        raise DataError(
            f"{line.where}: {line.attribute!r} is {str(line.label)[:40]}; it has to be the address "
            "of the picture's mask."
        )
    file, fault = augmented_manifest.file_at(line.label, folder, line.where)
    return Entry(line.label, file, None, fault=fault)


def names_in(line: Line) -> Iterator[tuple[int, str]]:
    """The names of classes that Ground Truth writes beside a mask."""
    metadata = line.metadata.get(COLOR_MAP)
    for number, said in (metadata if isinstance(metadata, dict) else {}).items():
        if number.isdigit() and isinstance(said, dict) and said.get("class-name"):
            yield int(number), str(said["class-name"])


def split(found: Entries, share: float, seed: int) -> tuple[Entries, Entries]:
    """The entries without a share, and that share, both in their own order. Raises `DataError`."""
    count = max(1, round(share * len(found)))
    if count >= len(found):
        raise DataError(
            "There is one picture only: nothing is left to validate on. Give more pictures, or the "
            "channels validation and validation_annotation."
        )
    chooser = np.random.Generator(np.random.PCG64(seed))
    held = set(chooser.permutation(len(found))[:count].tolist())
    sides: tuple[Entries, Entries] = ([], [])
    for place, entry in enumerate(found):
        sides[place in held].append(entry)
    return sides
