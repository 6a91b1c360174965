"""Labels that say themselves which class each is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class NumberedLabels(tuple[str, ...]):
    """The labels in the order of their classes, whose numbers are `class_ids`."""

    class_ids: tuple[int, ...]

    @classmethod
    def of(cls, by_class: Mapping[int, str]) -> NumberedLabels:
        """The labels of the classes of these numbers."""
        made = cls(by_class[number] for number in sorted(by_class))
        made.class_ids = tuple(sorted(by_class))
        return made

    def by_class(self, shift: int = 0) -> dict[int, str]:
        """Each class's label, the numbers less by `shift`."""
        return {number - shift: label for number, label in zip(self.class_ids, self, strict=True)}

    def lacks(self, classes: int) -> bool:
        """Whether these are not the numbers of so many classes, the last of them among them."""
        return self.class_ids[-1] != classes - 1


def by_class(labels: tuple[str, ...], classes: int) -> Mapping[int, str] | None:
    """The label of each of so many classes from 0 on, or None if they are not of so many.

    Numbers from 1 to the number of classes are those of lists that count from 1.
    """
    return next(readings(labels, classes), None)


def readings(labels: tuple[str, ...], classes: int) -> Iterator[Mapping[int, str]]:
    """What labels may mean."""
    if isinstance(labels, NumberedLabels):
        if not labels.lacks(classes):
            yield labels.by_class()
        if labels.class_ids == tuple(range(1, classes + 1)):
            yield labels.by_class(1)
    elif len(labels) == classes:
        yield dict(enumerate(labels))


def in_order(labels: tuple[str, ...]) -> Mapping[int, str]:
    """The label of each class, where nobody knows how many there are."""
    return labels.by_class() if isinstance(labels, NumberedLabels) else dict(enumerate(labels))


def numbers_of(labels: Sequence[Any]) -> int:
    """How many classes there must be for labels, or for whatever else there is one of for each."""
    return labels.class_ids[-1] + 1 if isinstance(labels, NumberedLabels) else len(labels)
