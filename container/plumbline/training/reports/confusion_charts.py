"""The confusion matrix as a grid, and the most confused classes as bars."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from plumbline.results.drawing import lettering
from plumbline.training.reports.confusion import Confused, Counts
from plumbline.training.reports.shapes import Box, Drawing, Line, Role, Shape, Text

SMALLEST, LARGEST, USUAL = 12, 28, 560
"""The sides of cells, and of the grid as far as its cells have such sides."""

COUNTED = 18
"""The smallest cell with a count in it."""

FONT, SMALL = 11, 9
"""Of labels, and of counts."""

MOST_LABEL = 110
CORNER = 48
"""What the words in the corner take."""

DARK = 0.65
"""From this opacity on, text is dark also where the ground is dark."""

Corner = tuple[int, int]
"""Left and top of the grid."""

PAIRS_WIDTH = 360.0
ROW = 24.0


def grid(matrix: Counts, labels: Sequence[str]) -> Drawing:
    """A matrix `[classes, classes]`: each cell in the colour of its share of the row."""
    cell = min(LARGEST, max(SMALLEST, USUAL // len(matrix)))
    longest = max(lettering.width(lettering.shown(label), FONT) for label in labels)
    room = min(MOST_LABEL, longest)
    left, top, side = max(room, CORNER) + 8, room + 26, len(matrix) * cell
    shapes: list[Shape] = [
        Text(left, 13, "predicted →", "quiet", FONT),
        Text(left - 6, top - 6, "truth ↓", "quiet", FONT, "end"),
        *names(labels, cell, (left, top), room),
        Box(left, top, side, side, "grid", 0.4),
    ]
    for row in range(len(matrix)):
        shapes += cells(matrix, labels, row, cell, (left, top))
    # A few classes are narrower than the words above them.
    width, words = left + max(side, 90) + 2, f"confusion matrix of {len(matrix)} classes"
    return Drawing.of(width, top + side + 2, words, shapes)


def names(labels: Sequence[str], cell: int, corner: Corner, room: int) -> Iterator[Shape]:
    """What rows and columns are."""
    left, top = corner
    size = min(FONT, cell - 1)
    for number, label in enumerate(labels):
        middle = number * cell + cell / 2 + size * 0.35
        yield Text(left - 6, top + middle, label, "ink", size, "end", room)
        yield Text(left + middle, top - 6, label, "ink", size, room=room, upright=True)


def cells(
    matrix: Counts, labels: Sequence[str], row: int, cell: int, corner: Corner
) -> Iterator[Shape]:
    """The cells of a row that are not empty, with their counts where there is room."""
    total = int(matrix[row].sum())
    for column in matrix[row].nonzero()[0].tolist():
        count = int(matrix[row, column])
        left, top = corner[0] + column * cell, corner[1] + row * cell
        # A root, so that rare mistakes are seen.
        opacity = round(max(0.15, math.sqrt(count / total)), 2)
        role: Role = "right" if row == column else "wrong"
        told = f"{labels[row]} → {labels[column]}: {count} of {total}"
        yield Box(left + 0.5, top + 0.5, cell - 1, cell - 1, role, opacity, told)
        if cell >= COUNTED and lettering.width(str(count), SMALL) < cell:
            ink: Role = "on" if opacity >= DARK else "ink"
            middle = left + cell / 2, top + cell / 2 + SMALL * 0.36
            yield Text(*middle, str(count), ink, SMALL, "middle")


def bars(pairs: Sequence[Confused], labels: Sequence[str]) -> Drawing:
    """Classes that were taken for others: both, and how often, of how many."""
    if not pairs:
        text = Text(0, 16, "No picture was taken for another class.")
        return Drawing.of(PAIRS_WIDTH, ROW, text.words, [text])
    most = max(pair.pictures for pair in pairs)
    shapes: list[Shape] = [
        Text(0, 13, "truth", "quiet", 11),
        Text(116, 13, "predicted", "quiet", 11),
        Text(PAIRS_WIDTH, 13, "pictures", "quiet", 11, "end"),
    ]
    for number, pair in enumerate(pairs):
        top = ROW * (number + 1)
        told = f"{pair.pictures} of {pair.total}"
        length = round(max(2.0, 56 * pair.pictures / most), 1)
        shapes += [
            Line(((0, top - 4), (PAIRS_WIDTH, top - 4)), "grid"),
            Text(0, top + 12, labels[pair.truth], room=110),
            Text(116, top + 12, labels[pair.predicted], room=110),
            Box(230, top + 2, length, ROW - 12, "wrong"),
            Text(PAIRS_WIDTH, top + 12, told, anchor="end", room=72),
        ]
    height = ROW * (len(pairs) + 1)
    return Drawing.of(PAIRS_WIDTH, height, "classes that were taken for others", shapes)
