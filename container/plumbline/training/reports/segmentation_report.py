"""The report of a segmentation job, written down: a page and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from plumbline.results import palette
from plumbline.results.drawing.render import painted
from plumbline.results.png_files import png
from plumbline.training.reports import page, poster
from plumbline.training.reports.classification_report import PAGE, PICTURE
from plumbline.training.reports.outcome import Report
from plumbline.training.reports.svg import escaped
from plumbline.training.reports.thumbnails import TINY, data_uri, within
from plumbline.training.reports.whole_files import write_whole
from plumbline.vision.arrays import Pixels
from plumbline.vision.masks import Mask

MOST_PICTURES = 8
"""The worst of them are shown."""

MOST_LINES = 12
"""Classes that the picture has lines for: the worst."""

ACROSS = 3
"""The picture, its true mask, and the one that was found."""


@dataclass(frozen=True)
class Compared:
    """A picture `[height, width, 3]` uint8, its true mask, the one that was found, their IoU."""

    picture: Pixels
    name: str
    truth: Mask
    found: Mask
    iou: float


@dataclass(frozen=True)
class SegmentationReport(Report):
    """A segmenter's: the IoU of each class, NaN where it is nowhere, and its share of pixels."""

    labels: Sequence[str]
    ious: Sequence[float]
    shares: Sequence[float]
    worst: Sequence[Compared]


def write_report(folder: Path, report: SegmentationReport) -> None:
    """Write report.html and report.png into a folder, each whole. Raises `OSError`."""
    files = {PAGE: "\n".join(parts(report)).encode("utf-8"), PICTURE: png(drawn(report))}
    for name, content in files.items():
        write_whole(folder / name, content)


def colors(report: SegmentationReport) -> Sequence[tuple[int, int, int]]:
    """Those of the classes, as the server draws them."""
    return palette.colors(len(report.labels))


def worst_first(report: SegmentationReport) -> list[int]:
    """The numbers of the classes, the lowest IoU first, those without one last."""
    order: list[int] = np.argsort(np.asarray(report.ious), kind="stable").tolist()
    return order


# -- the page -----------------------------------------------------------------------------------


def parts(report: SegmentationReport) -> Iterator[str]:
    """The page from top to bottom."""
    yield from page.beginning(report)
    yield from classes(report)
    yield '<h2>Worst pictures: as sent, as they should be, as found</h2>\n<div class="gallery">'
    for each in report.worst[:MOST_PICTURES]:
        for words, pixels in zip(captions(each), strip(report, each), strict=True):
            tiny = ' class="tiny"' if max(pixels.shape) <= TINY else ""
            yield (
                f'<figure><img{tiny} src="{data_uri(pixels)}" alt="{escaped(words)}">'
                f"<figcaption>{page.isolated(words)}</figcaption></figure>"
            )
    yield "</div>"
    yield page.FOOT


def captions(compared: Compared) -> tuple[str, str, str]:
    """What is written below the three."""
    return compared.name, "truth", f"found, IoU {compared.iou:.3f}"


def classes(report: SegmentationReport) -> Iterator[str]:
    """Each class with its colour, its IoU and its share of the pixels, the worst first."""
    yield '<h2>Classes, the worst first</h2>\n<div class="scroll">\n<table>\n<thead><tr>'
    yield "<th>class</th><th>IoU</th><th>share of pixels</th></tr></thead>\n<tbody>"
    table = colors(report)
    for number in worst_first(report):
        red, green, blue = table[number]
        square = f'<span style="color: rgb({red}, {green}, {blue})">■</span>'
        yield (
            f"<tr><th>{square} {page.isolated(report.labels[number])}</th>"
            f"<td>{written(report.ious[number])}</td><td>{report.shares[number]:.2%}</td></tr>"
        )
    yield f"</tbody>\n<tfoot><tr><th>mean</th><td>{mean(report):.3f}</td><td></td></tr></tfoot>"
    yield "</table>\n</div>"


def written(iou: float) -> str:
    """An IoU, or nothing where there is none."""
    return "" if np.isnan(iou) else f"{iou:.3f}"


def mean(report: SegmentationReport) -> float:
    """The mean IoU of the classes that are somewhere."""
    found = np.asarray(report.ious)
    return float(found[~np.isnan(found)].mean()) if not np.isnan(found).all() else 0.0


def strip(report: SegmentationReport, compared: Compared) -> tuple[Pixels, Pixels, Pixels]:
    """The picture and both masks, in colours."""
    table = colors(report)
    return (
        compared.picture,
        np.asarray(painted(compared.truth, table).convert("RGB")),
        np.asarray(painted(compared.found, table).convert("RGB")),
    )


# -- the picture --------------------------------------------------------------------------------


def drawn(report: SegmentationReport) -> Image.Image:
    """The report as an RGB image."""
    rows = poster.beginning(report)
    lines = [
        poster.words(f"{report.labels[number]}  {written(report.ious[number])}", poster.USUAL)
        for number in worst_first(report)[:MOST_LINES]
    ]
    rows.append([poster.above([poster.heading("IoU of classes"), *lines], poster.ROOM)])
    rows.append([poster.heading("Worst pictures: as sent, as they should be, as found")])
    side = (poster.ROOM - (2 * ACROSS - 1) * poster.GAP) // (2 * ACROSS)
    cells = [
        poster.above([within(pixels, side), poster.words(words, poster.USUAL - 2, side)], side)
        for each in report.worst[:MOST_PICTURES]
        for words, pixels in zip(captions(each), strip(report, each), strict=True)
    ]
    rows += [cells[first : first + 2 * ACROSS] for first in range(0, len(cells), 2 * ACROSS)]
    return poster.stacked(rows)
