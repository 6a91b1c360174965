"""What the page draws, beside what the server itself draws of the same answer."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from open_page import Drawn, Page
from PIL import Image
from task_engines import Detector, Segmenter, Whole

from plumbline.spec.model_spec import ModelSpec

Show = Callable[..., Page]

INSECTS = ("bee", "wasp", "fly", "ant, red")

TAG = 26
"""Pixels around a box's upper edge in which its tag may lie."""


def packed(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def turned(image: Image.Image, orientation: int, form: str) -> bytes:
    """The picture, said to lie otherwise."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return packed(image, form, exif=exif, **({"quality": 95} if form == "JPEG" else {}))


@pytest.fixture
def detector(show: Show) -> Page:
    """The page of a detector of four classes."""
    spec = ModelSpec("detection", INSECTS)
    return show(engine=Detector(), spec=spec, labels=INSECTS)


@pytest.fixture
def segmenter(show: Show) -> Page:
    """The page of a segmenter of two classes, whose colours are declared."""
    spec = ModelSpec("segmentation", ("ground", "bee"))
    colors = replace(spec.segmentation, palette=((10, 20, 30), (220, 20, 60)))
    return show(engine=Segmenter(), spec=replace(spec, segmentation=colors), labels=spec.labels)


def furthest(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of any value."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_bars_are_as_long_as_the_servers(show: Show, drawn: Drawn, scene: Image.Image) -> None:
    page = show()
    data = packed(scene)
    page.drop(data)

    server = drawn(page, data)[page.canvas().shape[0] :]
    tracks = page.run("""
      return [...document.querySelectorAll(".track")].map(
        (track) => track.firstChild.getBoundingClientRect().width / track.clientWidth)
    """)
    shares = [share for share in server_bars(server) if share]
    assert len(page.rows()) == 5
    np.testing.assert_allclose([share for share in tracks if share > 0.01], shares, atol=0.02)
    answer = json.loads(page.text("raw"))["predictions"][0]["classes"]
    assert page.rows() == [[each["label"], f"{each['score']:.3f}"] for each in answer]


def server_bars(panel: np.ndarray) -> list[float]:
    """How much of its track each bar of the server's panel fills, from above."""
    filled, track = ((panel == color).all(axis=2) for color in ((82, 148, 226), (58, 63, 73)))
    both = (filled | track).sum(axis=1)
    rows = np.flatnonzero(both > both.max() * 0.9)
    first = rows[np.insert(np.diff(rows) > 1, 0, True)]
    return [float(filled[row + 2].sum() / both[row + 2]) for row in first]


def test_boxes_lie_where_the_servers_lie(detector: Page, drawn: Drawn, scene: Image.Image) -> None:
    data = packed(scene)
    detector.drop(data)

    ours, servers = detector.canvas(), drawn(detector, data)
    assert ours.shape == servers.shape
    height = len(ours)
    for band in (slice(3 * TAG, height // 2 - 2 * TAG), slice(height // 2 + 3 * TAG, height)):
        assert furthest(ours[band], servers[band]) <= 1
    assert [label for label, _ in detector.rows()] == ["wasp", "ant, red", "bee"]


@pytest.mark.parametrize(
    ("form", "orientations", "most"),
    [("PNG", range(1, 9), 1), ("JPEG", (3, 6), 24), ("WEBP", (7,), 60)],
    ids=["PNG", "JPEG", "WEBP"],
)
def test_turned_pictures_are_shown_upright_with_their_masks(
    form: str,
    orientations: Iterable[int],
    most: int,
    segmenter: Page,
    drawn: Drawn,
    scene: Image.Image,
) -> None:
    for orientation in orientations:
        data, media_type = turned(scene, orientation, form), f"image/{form.lower()}"
        segmenter.drop(data, f"{orientation}.{form}", media_type)

        ours, servers = segmenter.canvas(), drawn(segmenter, data, media_type)
        assert ours.shape[1] == servers.shape[1]
        assert furthest(ours, servers[: len(ours)]) <= most, orientation


def test_what_a_segmenter_saw_is_listed_with_its_share(segmenter: Page, scene: Image.Image) -> None:
    segmenter.drop(packed(scene))
    found = json.loads(segmenter.text("raw"))["predictions"][0]["segments"]
    assert segmenter.rows() == [[each["label"], f"{each['area']:.1%}"] for each in found]


def test_boxes_of_a_turned_picture_lie_where_the_servers_lie(
    detector: Page, drawn: Drawn, scene: Image.Image
) -> None:
    data = turned(scene, 6, "PNG")
    detector.drop(data)

    ours, servers = detector.canvas(), drawn(detector, data)
    assert ours.shape == servers.shape
    assert ours.shape[0] > ours.shape[1]
    height = len(ours)
    for band in (slice(3 * TAG, height // 2 - 2 * TAG), slice(height // 2 + 3 * TAG, height)):
        assert furthest(ours[band], servers[band]) <= 1


def test_the_slider_hides_and_asks_nothing(detector: Page, scene: Image.Image) -> None:
    detector.drop(packed(scene))
    before, rows = detector.canvas(), detector.rows()
    detector.requests()
    script = """
      const slider = document.getElementById("threshold");
      slider.value = arguments[0];
      slider.dispatchEvent(new Event("input"));
    """
    sure = sorted(float(score) for _, score in rows)
    detector.run(script, (sure[1] + sure[2]) / 2)
    assert [row for row in rows if float(row[1]) > sure[1]] == detector.rows()
    assert furthest(before, detector.canvas()) > 100
    assert "2 hidden" in detector.text("count")
    detector.run(script, 0)
    assert furthest(before, detector.canvas()) == 0
    assert detector.requests() == []


def test_hidden_segments_show_the_picture(segmenter: Page, scene: Image.Image) -> None:
    segmenter.drop(packed(scene))
    segmenter.run("""
      const slider = document.getElementById("threshold");
      slider.value = 1;
      slider.dispatchEvent(new Event("input"));
    """)
    plain = np.asarray(scene).repeat(3, axis=0).repeat(3, axis=1)
    assert furthest(segmenter.canvas(), plain) == 0


def test_a_picture_that_a_model_makes_is_shown(show: Show, scene: Image.Image) -> None:
    spec = ModelSpec("image")
    ranged = replace(spec, image=replace(spec.image, range=(0.0, 1.0)))
    page = show(engine=Whole(), spec=ranged)
    page.drop(packed(scene))
    made = json.loads(page.text("raw"))["predictions"][0]["image"]["png"]["b64"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(made))).convert("RGB"))
    page.until(lambda page: page.canvas().shape == (512, 512, 3))
    assert furthest(page.canvas(), pixels.repeat(16, axis=0).repeat(16, axis=1)) == 0


def test_plain_numbers_are_shown_as_they_came(show: Show, scene: Image.Image) -> None:
    page = show(spec=ModelSpec("raw"))
    page.drop(packed(scene))
    assert page.text("count") == "Plain numbers: see the raw answer"
    assert page.find("raw").is_displayed()
    assert len(json.loads(page.text("raw"))["predictions"][0]) == 10


def test_a_format_that_no_browser_shows_is_still_answered(
    detector: Page, scene: Image.Image
) -> None:
    detector.drop(packed(scene, "TIFF"), "scan.tiff", "image/tiff")
    assert len(detector.rows()) == 3
    assert detector.text("count").endswith("This browser can't show a picture of this format.")
    assert not detector.find("canvas").is_displayed()


def test_large_pictures_are_shrunk_to_be_shown(detector: Page, scene: Image.Image) -> None:
    detector.drop(packed(scene.resize((4000, 2400), Image.Resampling.NEAREST)))
    assert detector.canvas().shape == (1229, 2048, 3)
    assert len(detector.rows()) == 3


def test_where_the_time_went_adds_up(segmenter: Page, scene: Image.Image) -> None:
    segmenter.drop(packed(scene))
    told = dict(each.rsplit(" ", 1) for each in segmenter.text("stages").split(" ms") if each)
    assert {"wait", "decode", "preprocess", "infer", "encode", "network and browser"} <= set(told)
    parts = segmenter.run("""
      return [...document.getElementById("bar").children].map((part) =>
        [part.getBoundingClientRect().width, getComputedStyle(part).backgroundColor])
    """)
    widths, colors = zip(*parts, strict=True)
    assert len(set(colors)) == len(told)
    assert "rgba(0, 0, 0, 0)" not in colors
    assert max(widths) == widths[np.argmax([float(each) for each in told.values()])]
