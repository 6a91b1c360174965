"""The report of a segmenter: what is in it, and that it is whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from plumbline.results import palette
from plumbline.training.reports.segmentation_report import (
    MOST_PICTURES,
    Compared,
    SegmentationReport,
    strip,
    write_report,
)

NAMES = ("ground", "<b>ink</b>", "nowhere")


def report(pictures: int) -> SegmentationReport:
    truth = np.zeros((20, 30), np.uint8)
    truth[5:10, 5:15], truth[0] = 1, 255
    worst = [
        Compared(
            np.full((20, 30, 3), 20 * number, np.uint8), f"{number}.jpg", truth, truth, number / 10
        )
        for number in range(pictures)
    ]
    history = [{"train:loss": 1.0, "validation:mIOU": 0.5}, {"train:loss": 0.5}]
    numbers = ([0.9, 0.25, float("nan")], [0.75, 0.25, 0.0])
    return SegmentationReport("Segments", {"classes": "3"}, history, NAMES, *numbers, worst)


class Balanced(HTMLParser):
    """Counts what is opened and not closed."""

    VOID = ("meta", "img", "!doctype")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_names_classes_worst_first_and_shows_pictures_with_both_masks(
    tmp_path: Path,
) -> None:
    write_report(tmp_path, report(12))

    page = (tmp_path / "report.html").read_text("utf-8")
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    rows = re.findall(r"<bdi>(.*?)</bdi></th><td>(.*?)</td><td>(.*?)</td>", body)
    assert rows == [
        ("&lt;b&gt;ink&lt;/b&gt;", "0.250", "25.00%"),
        ("ground", "0.900", "75.00%"),
        ("nowhere", "", "0.00%"),
    ]
    assert ">0.575<" in page
    assert page.count("<figure>") == 3 * MOST_PICTURES
    assert "0.jpg" in page
    assert f"{MOST_PICTURES}.jpg" not in page
    assert "found, IoU 0.100" in page
    with Image.open(tmp_path / "report.png") as poster:
        assert poster.size[0] == 1280
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.png"]


def test_masks_have_the_colours_of_the_server_and_gray_where_nothing_counts() -> None:
    found = report(1)
    picture, truth, _ = strip(found, found.worst[0])
    assert picture is found.worst[0].picture
    assert tuple(truth[7, 7]) == palette.colors(3)[1]
    assert tuple(truth[15, 20]) == palette.colors(3)[0]
    assert tuple(truth[0, 0]) == (128, 128, 128)


def test_a_report_without_pictures_is_written(tmp_path: Path) -> None:
    write_report(tmp_path, report(0))
    assert (tmp_path / "report.html").read_text("utf-8").endswith("</html>\n")
