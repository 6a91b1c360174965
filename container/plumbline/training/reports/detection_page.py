"""The report of a detector, written down: a page and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from plumbline.results.png_files import png
from plumbline.training.reports import poster
from plumbline.training.reports.classification_report import PAGE, PICTURE
from plumbline.training.reports.outcome import Report
from plumbline.training.reports.page import FOOT, beginning, isolated
from plumbline.training.reports.svg import escaped
from plumbline.training.reports.thumbnails import data_uri, within
from plumbline.training.reports.whole_files import write_whole
from plumbline.vision.arrays import Pixels

MOST_PICTURES = 12

MOST_LINES = 12
"""Classes that the picture has lines for: the worst."""

PAIRS = 2
"""Pictures in a row of the picture, each with its annotation and with what was found."""


@dataclass(frozen=True)
class ClassPrecision:
    """What boxes of a class are worth: COCO's average precision, at 0.5 and at all overlaps."""

    label: str
    boxes: int
    at_half: float
    at_all: float


@dataclass(frozen=True)
class Drawn:
    """A picture `[height, width, 3]` uint8 with its true boxes, and with those that were found."""

    name: str
    truth: Pixels
    found: Pixels
    told: str


@dataclass(frozen=True)
class DetectionReport(Report):
    """A detector's: its classes, and the worst pictures, the worst first."""

    classes: Sequence[ClassPrecision]
    pictures: Sequence[Drawn]


def write_report(folder: Path, report: DetectionReport) -> None:
    """Write report.html and report.png into a folder, each whole. Raises `OSError`."""
    files = {PAGE: "\n".join(parts(report)).encode("utf-8"), PICTURE: png(drawn(report))}
    for name, content in files.items():
        write_whole(folder / name, content)


def worst_first(found: Sequence[ClassPrecision]) -> list[ClassPrecision]:
    """The classes, the lowest precision at an overlap of 0.5 first."""
    return sorted(found, key=lambda one: one.at_half)


# -- the page -----------------------------------------------------------------------------------


def parts(report: DetectionReport) -> Iterator[str]:
    """The page from top to bottom."""
    yield from beginning(report)
    yield from classes(report.classes)
    yield from pictures(report.pictures)
    yield FOOT


def classes(found: Sequence[ClassPrecision]) -> Iterator[str]:
    """Each class with its precisions, the worst first, and their means."""
    yield '<h2>Classes, the worst first</h2>\n<div class="scroll">\n<table>\n<thead><tr>'
    yield "".join(f"<th>{name}</th>" for name in ("class", "AP@0.5", "AP@[.5:.95]", "boxes"))
    yield "</tr></thead>\n<tbody>"
    for each in worst_first(found):
        yield row(isolated(each.label), each.at_half, each.at_all, each.boxes)
    half, every = np.mean([(each.at_half, each.at_all) for each in found], axis=0).tolist()
    yield "</tbody>\n<tfoot>"
    yield row("mean of classes", half, every, sum(each.boxes for each in found))
    yield "</tfoot>\n</table>\n</div>"


def row(name: str, at_half: float, at_all: float, boxes: int) -> str:
    """A row of the table; `name` is escaped already."""
    return f"<tr><th>{name}</th><td>{at_half:.3f}</td><td>{at_all:.3f}</td><td>{boxes:,}</td></tr>"


def pictures(shown: Sequence[Drawn]) -> Iterator[str]:
    """The worst pictures: the truth beside what was found."""
    yield "<h2>Pictures with the most mistakes</h2>"
    if not shown:
        yield "<p>There are none.</p>"
        return
    yield "<p>First the boxes of the annotation, then those that were found.</p>"
    yield '<div class="gallery">'
    for each in shown:
        for pixels, told in ((each.truth, "annotation"), (each.found, each.told)):
            yield (
                f'<figure><img src="{data_uri(pixels)}" alt="{escaped(each.name)}">'
                f"<figcaption>{escaped(told)}<small>{isolated(each.name)}</small></figcaption>"
                "</figure>"
            )
    yield "</div>"


# -- the picture --------------------------------------------------------------------------------


def drawn(report: DetectionReport) -> Image.Image:
    """The report as an RGB image."""
    rows = poster.beginning(report)
    lines = [
        poster.words(f"{each.label}  {each.at_half:.3f}  {each.at_all:.3f}", poster.USUAL)
        for each in worst_first(report.classes)[:MOST_LINES]
    ]
    above = poster.heading("Classes: AP@0.5 and AP@[.5:.95], the worst first")
    rows.append([poster.above([above, *lines], poster.ROOM)])
    told = "Pictures with the most mistakes: the annotation, and what was found"
    rows.append([poster.heading(told if report.pictures else "No mistakes")])
    side = (poster.ROOM - (2 * PAIRS - 1) * poster.GAP) // (2 * PAIRS)
    cells = [
        poster.above([within(pixels, side), poster.words(told, poster.USUAL - 2, side)], side)
        for each in report.pictures
        for pixels, told in ((each.truth, each.name.rpartition("/")[2]), (each.found, each.told))
    ]
    rows += [cells[first : first + 2 * PAIRS] for first in range(0, len(cells), 2 * PAIRS)]
    return poster.stacked(rows)
