"""Which label stands for which class of a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plumbline.errors import SpecError
from plumbline.spec.labels import NumberedLabels

Labels = tuple[str, ...]

PLACEHOLDERS = frozenset(
    {"background", "__background__", "bg", "???", "none", "nothing", "n/a", "unlabeled"}
)
"""What lists of labels begin with where class 0 is none."""


@dataclass(frozen=True)
class Numbering:
    """How a model numbers its classes.

    `count` is how many numbers there are, the background's among them, None if nobody says it.
    `from_one`: 0 is the background by convention, as in TensorFlow's Object Detection API.
    """

    count: int | None = None
    background: int | None = None
    from_one: bool = False

    def possible(self, labels: Labels, first: int | None) -> Sequence[Sequence[int]]:
        """The classes that a list of labels may be of; `first` is what was declared."""
        if self.count is None or (self.from_one and first is not None):
            start = self.start(labels) if first is None else first
            return (range(start, start + len(labels)),)
        if self.from_one:
            return (range(self.start(labels), self.count),)
        if first is not None:
            return (range(first, self.count),)
        everything = range(self.count)
        return [each for each in everything if each != self.background], everything

    def start(self, labels: Labels) -> int:
        """The class of the first label."""
        return int(self.from_one and labels[0].strip().lower() not in PLACEHOLDERS)


def class_names(
    labels: Labels, numbering: Numbering, first: int | None, shapes: str
) -> Mapping[int, str]:
    """Each class's label. Raises `SpecError`, which shows the `shapes`, if they don't fit."""
    if isinstance(labels, NumberedLabels):
        return own_numbers(labels, numbering, first, shapes)
    for class_ids in numbering.possible(labels, first):
        if len(class_ids) == len(labels):
            return dict(zip(class_ids, labels, strict=True))
    raise SpecError(
        f"There are {len(labels)} labels, but the model has {numbering.count} classes"
        f"{background_in_words(numbering)} ({shapes}). Give one label for each class, with the "
        "background or without it, also for numbers that mean nothing; [detection] first_class "
        "says which class the first label is of. Without labels, classes are answered by their "
        "numbers."
    )


def own_numbers(
    labels: NumberedLabels, numbering: Numbering, first: int | None, shapes: str
) -> Mapping[int, str]:
    """The labels by the numbers that their file gives them.

    Raises `SpecError` if the model has no such classes, or if the numbers are declared otherwise.
    """
    if first is not None and first != labels.class_ids[0]:
        raise SpecError(
            f"[detection] first_class = {first}, but the labels' own numbers begin at "
            f"{labels.class_ids[0]}. Leave first_class out, or give labels without numbers."
        )
    count, background = numbering.count, numbering.background
    names = labels.by_class()
    named = background in names and names[background].strip().lower() not in PLACEHOLDERS
    if count is not None and named and labels.class_ids == tuple(range(count - 1)):
        others = (number for number in range(count) if number != background)
        return dict(zip(others, labels, strict=True))
    if named or (count is not None and labels.lacks(count)):
        known = "a background" if count is None else f"{count} classes"
        raise SpecError(
            f"The labels are numbered from {labels.class_ids[0]} to {labels.class_ids[-1]}, but "
            f"the model has {known}{background_in_words(numbering)} ({shapes}). Give the labels "
            "the numbers that the model was trained with; or none, and classes are answered by "
            "their numbers."
        )
    return names


def background_in_words(numbering: Numbering) -> str:
    """Which of the classes is the background, for a sentence."""
    background = 0 if numbering.from_one else numbering.background
    return "" if background is None else f", of which {background} is the background"
