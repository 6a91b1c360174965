"""What is said of a picture's boxes, in the forms that AWS's algorithms and Ground Truth have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plumbline.training.boxed_channels import BOXES, HEADER, LEAST_WIDTH
from plumbline.training.errors import DataError

Corners = tuple[float, float, float, float]
"""Left, top, right, bottom."""

KEYS = ("left", "top", "width", "height")

EXAMPLE = (
    '{"annotations": [{"class_id": 0, "left": 5, "top": 8, "width": 30, "height": 20}], '
    '"image_size": [{"width": 640, "height": 480, "depth": 3}]}'
)


@dataclass(frozen=True)
class Boxes:
    """The boxes of a picture as they were annotated.

    `corners` are in pixels of a picture of the `size` (width, height), if it is told; or, with
    `relative`, shares of the width and height.
    """

    class_ids: tuple[int, ...] = ()
    corners: tuple[Corners, ...] = ()
    size: tuple[int, int] | None = None
    relative: bool = False

    def renumbered(self, numbers: Mapping[int, int]) -> Boxes:
        """The same with other class numbers."""
        return replace(self, class_ids=tuple(numbers.get(each, -1) for each in self.class_ids))


def of_label(label: Any, where: str) -> Boxes:
    """The boxes of Ground Truth's labels and of the MXNet algorithm's JSON files.

    Raises `DataError` for what is no such label.
    """
    listed = label.get(BOXES) if isinstance(label, dict) else None
    if not isinstance(listed, list):
        shown = label if listed is None else listed
        raise DataError(
            f"{where}: the boxes are {kind(shown)} ({str(shown)[:40]!r}); they have to be like "
            f"{EXAMPLE}."
        )
    class_ids, corners = [], []
    for number, given in enumerate(listed, 1):
        name, each = f"{where}, box {number}", given if isinstance(given, dict) else {}
        class_ids.append(class_of(each.get("class_id"), name))
        left, top, width, height = (value_of(each.get(key), key, name) for key in KEYS)
        corners.append((left, top, left + width, top + height))
    return Boxes(tuple(class_ids), tuple(corners), size_of(label))


def size_of(label: Mapping[str, Any]) -> tuple[int, int] | None:
    """The picture's width and height as the label has them; nothing if it has none."""
    found = label.get("image_size")
    found = found[0] if isinstance(found, list) and found else found
    if not isinstance(found, dict):
        return None
    sides = [found.get(key) for key in ("width", "height")]
    if not all(isinstance(side, int | float) and side > 0 for side in sides):
        return None
    return int(sides[0]), int(sides[1])  # type: ignore[arg-type]


def kind(value: Any) -> str:
    """What JSON calls a value."""
    names = {str: "a text", list: "a list", dict: "an object", bool: "true or false"}
    return "nothing" if value is None else names.get(type(value), "a number")


def class_of(value: Any, name: str) -> int:
    """A class's number. Raises `DataError`."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise DataError(
        f"{name}: its class_id is {kind(value)} ({str(value)[:40]!r}); it has to be a whole number "
        "from 0 on."
    )


def value_of(value: Any, key: str, name: str) -> float:
    """A coordinate. Raises `DataError`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise DataError(
        f"{name}: its {key} is {kind(value)} ({str(value)[:40]!r}); it has to be a number of "
        "pixels."
    )


def of_numbers(numbers: Sequence[float], where: str) -> Boxes:
    """The boxes that `im2rec.py --pack-label` packs: how many numbers come first, how many a box
    has, and for each box class, xmin, ymin, xmax and ymax. Rows of a negative class are padding.

    Raises `DataError` for other labels.
    """
    head, width = (int(each) for each in numbers[:HEADER]) if len(numbers) >= HEADER else (0, 0)
    if head < HEADER or width < LEAST_WIDTH or len(numbers) < head:
        raise DataError(
            f"{where} has the label {', '.join(f'{each:g}' for each in numbers[:6])}, which is no "
            "list of boxes: 2, 5, and for each box class, xmin, ymin, xmax, ymax. Pack the data "
            "with im2rec.py --pack-label."
        )
    rows = list(rows_of(numbers[head:], width))
    for row in rows:
        if len(row) < LEAST_WIDTH or not row[0].is_integer() or not all(map(math.isfinite, row)):
            raise DataError(
                f"{where} has the box {', '.join(f'{each:g}' for each in row)}, which is not "
                f"class, xmin, ymin, xmax, ymax (of {width} numbers)."
            )
    return Boxes(
        tuple(int(row[0]) for row in rows),
        tuple((row[1], row[2], row[3], row[4]) for row in rows),
        relative=True,
    )


def rows_of(numbers: Sequence[float], width: int) -> Iterator[tuple[float, ...]]:
    """The boxes' numbers, without padding."""
    for begin in range(0, len(numbers), width):
        row = tuple(numbers[begin : begin + width])
        if row[0] >= 0:
            yield row
