"""What readers give as labels → classes `0 … n-1`, or a 0 or 1 for each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from plumbline.training.errors import DataError
from plumbline.training.readers.augmented_manifest import Line
from plumbline.training.readers.entries import Entry, Labelled
from plumbline.vision.arrays import Tensor

Hot = tuple[int, ...]


def of_numbers(found: Labelled[tuple[float, ...]], multi_label: bool) -> Labelled[Any]:
    """Classes from the numbers of a `.rec` or a `.lst`: one number, or a 0 or 1 for each class.

    Raises `DataError` for what is neither.
    """
    entries = [
        entry.labelled(hot(entry.label, entry.name) if multi_label else alone(entry))
        for entry in found.entries
    ]
    return Labelled(entries, found.classes)


def alone(entry: Entry[tuple[float, ...]]) -> int:
    """The one class of an entry."""
    if len(entry.label) != 1:
        raise DataError(
            f"{entry.name} has {len(entry.label)} numbers for a label. Set multi_label=1 if each "
            "says whether a class is in the picture; pack the data again otherwise."
        )
    return whole(entry.label[0], entry.name)


def whole(value: Any, name: str) -> int:
    """A class's number. Raises `DataError` for what is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not float(value).is_integer() or value < 0:
        raise DataError(
            f"{name} has the label {str(value)[:40]!r}; a class is a whole number from 0 on."
        )
    return int(value)


def hot(values: Sequence[Any], name: str) -> Hot:
    """A 0 or 1 for each class. Raises `DataError` for other numbers."""
    if not values or any(value not in (0, 1) for value in values):
        raise DataError(
            f"{name} has the label {str(list(values))[:40]}; with multi_label=1 it has to be a 0 "
            "or a 1 for each class."
        )
    return tuple(int(value) for value in values)


def of_lines(found: Labelled[Line], multi_label: bool) -> Labelled[Any]:
    """Classes from the lines of a manifest, and their names if its metadata tells them."""
    entries, names = [], dict[int, str]()
    first = next(entry.label for entry in found.entries if not entry.label.fault)
    for entry in found.entries:
        # A picture that nobody has labelled is left out later, and never learnt as anything.
        line = first if entry.label.fault else entry.label
        if isinstance(line.label, list) != multi_label:
            form = "a list of a 0 or 1 for each class" if multi_label else "one number"
            raise DataError(
                f"{line.where}: {line.attribute!r} is {str(line.label)[:40]}; with "
                f"multi_label={int(multi_label)} it has to be {form}."
            )
        label = hot(line.label, line.where) if multi_label else whole(line.label, line.where)
        entries.append(entry.labelled(label))
        names.update(names_in(line))
    most = max(names, default=-1)
    classes = tuple(names.get(number, str(number)) for number in range(most + 1))
    return Labelled(entries, classes)


def names_in(line: Line) -> Iterable[tuple[int, str]]:
    """The names of classes that Ground Truth writes beside a label."""
    name = line.metadata.get("class-name")
    if isinstance(name, str) and isinstance(line.label, int | float):
        yield int(line.label), name
    yield from class_map(line)


def class_map(line: Line) -> Iterable[tuple[int, str]]:
    """The names in its metadata's class map, by number."""
    several = line.metadata.get("class-map")
    if isinstance(several, dict):
        for number, each in several.items():
            if str(number).isdigit():
                yield int(number), str(each)


def counted(labels: Sequence[Any], classes: int) -> Tensor:
    """How many pictures each class has: `[classes]` int64."""
    if labels and isinstance(labels[0], tuple):
        several: Tensor = np.asarray(labels, np.int64).reshape(-1, classes).sum(axis=0)
        return several
    return np.bincount(np.asarray(labels, np.int64), minlength=classes)


def agreed(found: Labelled[Any], declared: int | None, channel: str) -> int:
    """The number of classes. Raises `DataError` if labels and `num_classes` don't fit.

    Every class that training knows must have a picture in it: check that with `demand_each`.
    """
    labels = [entry.label for entry in found.entries]
    if isinstance(labels[0], tuple):
        widths = {len(label) for label in labels}
        if len(widths) > 1:
            raise DataError(
                f"The labels of {channel} are of several lengths: {sorted(widths)}; each has to "
                "have a 0 or a 1 for each class."
            )
        seen = widths.pop()
    else:
        seen = max(len(found.classes), max(labels) + 1)
    exact = bool(found.classes) or isinstance(labels[0], tuple)
    if declared is not None and (seen > declared or (exact and seen != declared)):
        most = max(found.entries, key=lambda entry: entry.label).name
        raise DataError(
            f"num_classes is {declared}, and {channel} has {seen} classes (see {most}). "
            "Classes are counted from 0; set num_classes to their number."
        )
    classes = declared or seen
    if classes < 2:
        raise DataError(
            f"{channel} has one class only; a classifier has to have two to tell apart."
        )
    return classes


def demand_each(found: Labelled[Any], classes: int, names: Sequence[str], channel: str) -> None:
    """Raise `DataError` if a class has no picture."""
    counts = counted([entry.label for entry in found.entries], classes)
    if missing := [number for number in range(classes) if not counts[number]]:
        told = ", ".join(names[number] if names else str(number) for number in missing[:10])
        raise DataError(
            f"{channel} has no picture of {len(missing)} of {classes} classes: {told}. Add some, "
            "or set num_classes to the number of classes that there are."
        )


def demand_lines(names: Sequence[str]) -> None:
    """Raise `DataError` if a class is called by what can't be a line of a file of labels."""
    if bad := [name for name in names if not name.strip() or name.splitlines() != [name]]:
        raise DataError(f"The class {bad[0]!r} can't be a label: a label is one line of text.")
