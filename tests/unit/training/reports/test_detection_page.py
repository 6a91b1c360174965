"""The report of a detector: a page that is well formed, whatever its names are, and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_classification_report import HOSTILE, Page, history

from plumbline.training.reports.detection_page import (
    ClassPrecision,
    DetectionReport,
    Drawn,
    write_report,
)

CLASSES = [ClassPrecision("bee", 1200, 0.75, 0.5), ClassPrecision("wasp", 34, 0.25, 0.125)]


def written(folder: Path, report: DetectionReport) -> Page:
    write_report(folder, report)
    return Page((folder / "report.html").read_text("utf-8"))


def test_the_page_shows_classes_and_the_worst_pictures(tmp_path: Path) -> None:
    pixels = np.zeros((80, 120, 3), np.uint8)
    drawn = [Drawn("a.jpg", pixels, pixels, "2 missed, 1 wrong")]
    report = DetectionReport("Bees", {"mAP": "50 %"}, history(3), CLASSES, drawn)
    page = written(tmp_path, report)
    cells = page.said("td")
    assert cells[:6] == ["0.250", "0.125", "34", "0.750", "0.500", "1,200"]
    assert cells[-3:] == ["0.500", "0.312", "1,234"]
    assert len(page.all("img")) == 2
    assert all((each["src"] or "").startswith("data:image/") for each in page.all("img"))
    assert "2 missed, 1 wrong" in page.said("figcaption")
    assert page.all("svg")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_texts_and_nothing_else(name: str, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    plain, hostile = (
        written(
            tmp_path,
            DetectionReport(
                each,
                {each: each},
                (),
                [ClassPrecision(each, 1, 1.0, 1.0)],
                [Drawn(each, pixels, pixels, each)],
            ),
        )
        for each in ("plain", name)
    )
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]


def test_without_mistakes_there_are_no_pictures(tmp_path: Path) -> None:
    report = DetectionReport("x", {}, (), [ClassPrecision("a", 1, 1.0, 1.0)], ())
    page = written(tmp_path, report)
    assert "There are none." in page.said("p")
    assert not page.all("img")


def test_the_picture_shows_each_mistaken_picture_twice(tmp_path: Path) -> None:
    truth, found = (np.full((80, 120, 3), shade, np.uint8) for shade in ((255, 0, 0), (0, 0, 255)))
    drawn = [Drawn(f"{number}.jpg", truth, found, "1 missed, 0 wrong") for number in range(3)]
    report = DetectionReport("Bees", {"mAP": "50 %"}, history(3), CLASSES, drawn)
    write_report(tmp_path, report)

    with Image.open(tmp_path / "report.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.png"]
    for shade in ((255, 0, 0), (0, 0, 255)):
        shown = (pixels == shade).all(axis=-1)
        edges = np.diff(np.pad(shown.any(axis=1), 1).astype(int))
        assert (edges == 1).sum() == 2  # two rows of pairs
        assert shown.sum() >= 3 * 120 * 80
    assert np.flatnonzero((pixels == (255, 0, 0)).all(axis=-1).any(axis=0))[0] == 40
