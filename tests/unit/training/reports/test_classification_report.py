"""The report as a page and a picture: well formed, self-contained, whatever it is about."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plumbline.training.reports.classification_report import (
    ClassificationReport,
    Mistake,
    write_report,
)
from plumbline.training.reports.confusion import confusion

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</text></svg><b>&amp;'",
    "\x00\x1b[31m\ud800 \u202e drow",
    "日本語 हिन्दी שלום",
    "long " * 200,
)

VOID = {"meta", "img"}


class Page(HTMLParser):
    """What a page has; fails where elements are not closed as they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.tags
            if name == tag and attributes.items() <= found.items()
        ]

    def said(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def history(epochs: int) -> list[dict[str, float]]:
    return [
        {
            "loss": 2 / (epoch + 1),
            "accuracy": 1 - 0.9 / (epoch + 1),
            "val_loss": 2.2 / (epoch + 1),
            "val_accuracy": 1 - 0.95 / (epoch + 1),
        }
        for epoch in range(epochs)
    ]


def report(labels: Sequence[str] = ("bee", "wasp"), **changed: Any) -> ClassificationReport:
    random = np.random.default_rng(1)
    truth, predicted = random.integers(0, len(labels), (2, 20 * len(labels)))
    values: dict[str, Any] = {
        "title": "Bees",
        "summary": {"accuracy": "0.5"},
        "history": history(5),
        "labels": labels,
        "matrix": confusion(truth, predicted, len(labels)),
        "mistakes": [],
    }
    return ClassificationReport(**{**values, **changed})


def mistake(score: float, shape: tuple[int, int] = (8, 8), **named: str) -> Mistake:
    picture = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    names = {"name": f"{score}.jpg", "truth": "bee", "predicted": "wasp", **named}
    return Mistake(picture, score=score, **names)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[ClassificationReport], tuple[Page, Image.Image]]:
    """The page and the picture of a report; nothing else is left in the folder."""

    def write(wanted: ClassificationReport) -> tuple[Page, Image.Image]:
        write_report(tmp_path / "data", wanted)
        files = sorted((tmp_path / "data").iterdir())
        assert [file.name for file in files] == ["report.html", "report.png"]
        image = Image.open(files[1])
        image.load()
        return Page(files[0].read_text("utf-8")), image

    return write


Written = Callable[[ClassificationReport], tuple[Page, Image.Image]]


def test_a_page_needs_nothing_from_outside(written: Written, tmp_path: Path) -> None:
    page, _ = written(report(mistakes=[mistake(0.9), mistake(0.8, (300, 400))]))
    text = (tmp_path / "data/report.html").read_text("utf-8")
    assert not re.search(r"<script|https?:|url\(|@import|<link|\bon\w+=", text)
    assert all((image["src"] or "").startswith("data:image/") for image in page.all("img"))
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_names_are_only_text(written: Written, label: str) -> None:
    wanted = report(
        (label, "wasp"),
        title=label,
        summary={label: label},
        mistakes=[mistake(0.9, name=label, truth=label, predicted=label)],
        history=[{label: 1.0, "loss": 2.0}, {label: 2.0, "loss": 1.0}],
    )
    plain = report(
        title="t",
        summary={"s": "s"},
        mistakes=[mistake(0.9)],
        history=[{"x": 1.0, "loss": 2.0}, {"x": 2.0, "loss": 1.0}],
    )
    page, _ = written(wanted)
    expected, _ = written(plain)

    def elements(found: Page) -> list[str]:
        # What is cut off has a title with the whole text.
        return [tag for tag, _ in found.tags if tag != "title"]

    assert elements(page) == elements(expected)
    assert not {name for _, found in page.tags for name in found if name.startswith("on")}
    said = " ".join(label.split())[:250]
    said = re.sub("[\x00-\x1f\ud800-\udfff]", "\ufffd", said)
    assert page.said("h1")[0].startswith(said)


def test_curves_have_axes_ticks_and_a_legend(written: Written) -> None:
    page, _ = written(report(history=history(300)))
    texts = page.said("text")
    assert {"loss", "accuracy", "training", "validation", "epoch", "1", "100", "300"} <= {*texts}
    lines = [
        line
        for role in ("training", "validation")
        for line in page.all("polyline", **{"class": role})
        if len((line["points"] or "").split()) >= 300
    ]
    assert len(lines) == 4


def points(page: Page, role: str) -> list[list[tuple[float, float]]]:
    """The lines of the curves, without their pieces in the legend."""
    found = [line["points"] or "" for line in page.all("polyline", **{"class": role})]
    lines = [
        [(float(x), float(y)) for x, y in (point.split(",") for point in each.split())]
        for each in found
    ]
    return [line for line in lines if line[0][1] != 14]


def test_a_curve_lies_where_its_values_are(written: Written) -> None:
    page, _ = written(report(history=[{"loss": value} for value in (0.0, 5.0, 10.0)]))
    (first, middle, last, *_) = points(page, "training")[0]
    assert middle[1] == pytest.approx((first[1] + last[1]) / 2, abs=0.1)
    assert middle[0] == pytest.approx((first[0] + last[0]) / 2, abs=0.1)
    assert first[1] > last[1]


def test_a_loss_that_is_no_number_breaks_its_curve_only(written: Written) -> None:
    rows = history(9)
    rows[3]["loss"] = math.nan
    rows[7]["loss"] = math.inf
    page, _ = written(report(history=rows))
    assert len(points(page, "training")) == 4  # loss in three pieces, accuracy in one
    page, _ = written(report(history=[{"loss": math.nan}] * 3))
    assert "no numbers" in page.said("text")


@pytest.mark.parametrize("values", [(0.0,), (0.0, 0.0), (1.0, 1.0), (1e-45, 3e38), (-5.0, 1e300)])
def test_any_values_have_an_axis(written: Written, values: tuple[float, ...]) -> None:
    page, _ = written(report(history=[{"loss": value} for value in values]))
    places = [y for line in points(page, "training") for _, y in line]
    assert places
    assert all(0 <= y <= 270 for y in places)


def test_one_epoch_without_mistakes_is_a_report(written: Written) -> None:
    page, image = written(report(history=history(1), matrix=np.diag([3, 4])))
    assert "There are none." in page.said("p")
    assert "No picture was taken for another class." in page.said("text")
    assert image.width == 1280


def test_a_job_that_never_ended_an_epoch_is_a_report(written: Written) -> None:
    page, _ = written(report(history=[], summary={}, matrix=np.zeros((2, 2), np.int64)))
    assert page.said("h1") == ["Bees"]


def test_the_matrix_has_its_counts(written: Written) -> None:
    page, _ = written(
        report(("a", "b", "c"), matrix=np.array([[90, 7, 0], [0, 81, 0], [5, 0, 63]]))
    )
    assert {"90", "7", "81", "5", "63"} <= {*page.said("text")}
    assert len(page.all("rect", **{"class": "right"})) == 3
    assert "a → b: 7 of 97" in page.said("title")


def test_many_classes_have_pairs_instead(written: Written) -> None:
    labels = [f"class {number}" for number in range(1000)]
    page, image = written(report(labels, history=history(300)))
    assert not page.all("rect", **{"class": "right"})
    assert len(page.all("tr")) == 1002
    assert "Most confused classes" in page.said("h2")
    assert image.height < 4096


def test_the_table_has_the_worst_class_first(written: Written) -> None:
    page, _ = written(report(("good", "bad"), matrix=np.array([[90, 0], [5, 5]])))
    assert page.said("bdi")[-2:] == ["bad", "good"]
    assert page.said("td")[:4] == ["1.000", "0.500", "0.667", "10"]


def test_the_surest_mistakes_come_first(written: Written) -> None:
    scores = [math.nan, *(number / 100 for number in range(40))]
    page, image = written(report(mistakes=[mistake(score) for score in scores]))
    names = [found["alt"] for found in page.all("img")]
    assert names == [f"{number / 100}.jpg" for number in range(39, 15, -1)]
    _, without = written(report())
    assert image.height > without.height + 600


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (1, 3000), (1000, 3), (480, 640)])
def test_pictures_of_any_size_are_shown(written: Written, shape: tuple[int, int]) -> None:
    page, _ = written(report(mistakes=[mistake(0.5, shape)]))
    source = page.all("img")[0]["src"] or ""
    picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    assert max(picture.size) == min(256, max(shape))
    if max(shape) <= 64:
        assert np.array_equal(np.asarray(picture), mistake(0.5, shape).picture)


def test_the_picture_shows_the_mistake(written: Written) -> None:
    pure = Mistake(np.full((50, 50, 3), (255, 0, 255), np.uint8), "x", "bee", "wasp", 0.9)
    _, image = written(report(mistakes=[pure]))
    magenta = (np.asarray(image) == (255, 0, 255)).all(axis=2)
    assert magenta.sum() == 150 * 150


def test_the_same_report_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(tmp_path / name, report(mistakes=[mistake(0.5)]))
    for file in ("report.html", "report.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_folder_that_cannot_be_written_to_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, report(title="old"))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(tmp_path, report(title="new"))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
