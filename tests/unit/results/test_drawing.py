"""Answers as pictures: what is drawn can be read, and lies where it was found."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from plumbline import errors
from plumbline.results import palette
from plumbline.results.drawing import canvas, panels, render, tags
from plumbline.results.task_results import (
    Classes,
    Color,
    Detections,
    Failure,
    Result,
    Segments,
    Values,
)
from plumbline.vision import masks
from plumbline.vision.geometry import Geometry, Rect

RED, GREEN, BLUE = (200, 0, 0), (0, 150, 0), (0, 0, 220)
GRAY = 90

labels = st.text(st.characters(), max_size=40) | st.just("a long name " * 90)
heights_and_widths = st.tuples(st.integers(1, 90), st.integers(1, 90)) | st.sampled_from(
    [(1, 5000), (5000, 1), (8, 8), (700, 20)]
)


def plain(height: int, width: int, color: Color = (GRAY, GRAY, GRAY)) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(color, np.uint8), (height, width, 3)).copy()


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def detections(
    boxes: Any, size: tuple[int, int], names: tuple[str, ...] | None = None, **given: Any
) -> Detections:
    found = np.asarray(boxes, np.float64).reshape(-1, 4)
    return Detections(
        boxes=found,
        scores=given.get("scores", np.linspace(0.9, 0.1, len(found), dtype=np.float32)),
        class_ids=given.get("class_ids", np.arange(len(found))),
        labels=names if names is not None else ("thing",) * len(found),
        geometry=given.get("geometry", Geometry.whole(size)),
    )


def segments(
    mask: NDArray[np.uint8], names: tuple[str, ...] = ("ground", "sky", "sea")
) -> Segments:
    colors = (RED, GREEN, BLUE, *palette.colors(300))[: len(names)]
    return Segments(mask, names, colors, Geometry.whole((mask.shape[0], mask.shape[1])))


def classes(scores: Any, class_ids: tuple[int, ...], names: tuple[str, ...]) -> Classes:
    return Classes(np.asarray(scores, np.float32), class_ids, names)


def drawn(result: Result, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = render.draw(result, pixels)
    assert image.mode == "RGB"
    return np.asarray(image)


def contrast(one: Any, other: Any) -> float:
    """As WCAG 2 defines it."""

    def luminance(color: Any) -> float:
        parts = [float(value) / 255 for value in color]
        red, green, blue = (
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


# -- the picture itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((480, 640), (480, 640)),
        ((8, 8), (512, 512)),
        ((32, 32), (512, 512)),
        ((224, 224), (448, 448)),
        ((6144, 8192), (1536, 2048)),
        ((3000, 1000), (2048, 683)),
        ((1, 5000), (16, 2048)),
        ((16384, 3), (2048, 16)),
        ((1, 1), (512, 512)),
    ],
)
def test_pictures_are_drawn_at_a_size_to_look_at(
    source: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert canvas.drawn_size(source) == expected


@pytest.mark.parametrize("size", [(8, 8), (32, 20), (100, 7)])
def test_small_pictures_are_enlarged_pixel_by_pixel(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    height, width = canvas.drawn_size(size)
    expected = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
    shown = canvas.resized(pixels, (height, width))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(expected))


@pytest.mark.parametrize("size", [(2100, 300), (500, 4096), (2500, 2501)])
def test_large_pictures_are_shrunk_as_pillow_shrinks_them(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    height, width = canvas.drawn_size(size)
    expected = Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)
    shown = np.asarray(canvas.resized(pixels, (height, width)), np.int16)
    assert np.abs(shown - np.asarray(expected, np.int16)).max() <= 1


def test_a_large_picture_takes_little_memory_beside_its_own() -> None:
    code = """
import resource, sys
import numpy as np
from plumbline.results.drawing import render
from plumbline.vision.geometry import Geometry
from plumbline.results.task_results import Segments

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

size = (6144, 8192)
pixels, mask = np.ones((*size, 3), np.uint8), np.ones(size, np.uint8)
result = Segments(mask, ("sea", "sky"), ((0, 0, 0), (0, 0, 255)), Geometry.whole(size))
before = peak()
render.png(render.draw(result, pixels))
print((peak() - before) >> 20)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(render.__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) < 120, "MiB, of a picture of 144 MiB and a mask of 48 MiB"


# -- anything at all -------------------------------------------------------------------------------


@given(heights_and_widths, st.lists(st.tuples(labels, st.floats(width=32)), max_size=5), st.data())
def test_any_box_with_any_label_is_drawn(
    size: tuple[int, int], named: list[tuple[str, float]], data: st.DataObject
) -> None:
    coordinates = st.floats(-1e4, 1e4) | st.sampled_from([np.nan, np.inf, -np.inf])
    boxes = data.draw(arrays(np.float64, (len(named), 4), elements=coordinates))
    scores = np.array([score for _, score in named], np.float32)
    result = detections(boxes, size, tuple(name for name, _ in named), scores=scores)
    height, width = canvas.drawn_size(size)
    assert drawn(result, noise(*size)).shape == (max(height, 48), max(width, 240), 3)


@given(
    heights_and_widths, st.lists(st.tuples(labels, st.floats(width=32)), min_size=1, max_size=25)
)
def test_any_class_of_any_score_is_drawn(
    size: tuple[int, int], named: list[tuple[str, float]]
) -> None:
    names, scores = zip(*named, strict=True)
    image = drawn(classes(scores, tuple(range(len(named))), names), noise(*size))
    assert image.shape[1] == max(canvas.drawn_size(size)[1], 240)


@given(heights_and_widths, st.lists(labels, min_size=1, max_size=30), st.integers(0, 2**32 - 1))
def test_any_mask_of_any_class_is_drawn(size: tuple[int, int], names: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.choice([*range(len(names)), masks.UNSEEN], size).astype(np.uint8)
    image = drawn(segments(mask, tuple(names)), noise(*size))
    assert image.shape[1] == max(canvas.drawn_size(size)[1], 240)


def test_plain_values_are_not_drawn() -> None:
    with pytest.raises(errors.NotAcceptable, match="numbers"):
        render.draw(Values({"y": np.zeros(3)}), plain(9, 9))


def test_a_failure_is_not_drawn() -> None:
    with pytest.raises(errors.NotAcceptable, match="not a picture at all"):
        render.draw(Failure(errors.NotAnImage("It is not a picture at all.")), plain(9, 9))


@pytest.mark.parametrize("nothing", [detections([], (480, 640)), classes([0.1, 0.9], (), ())])
def test_the_picture_of_nothing_says_so(nothing: Result) -> None:
    pixels = plain(480, 640)
    changed = (drawn(nothing, pixels) != pixels).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 400
    assert columns.max() < 200


def test_a_png_is_the_image() -> None:
    image = Image.fromarray(noise(20, 30))
    opened = Image.open(io.BytesIO(render.png(image)))
    assert (opened.format, opened.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(opened), np.asarray(image))


# -- boxes -----------------------------------------------------------------------------------------


def test_a_box_is_drawn_around_what_it_holds_and_nothing_else_is_touched() -> None:
    pixels = noise(480, 640)
    image = drawn(detections([[200, 150, 400, 300]], (480, 640)), pixels)
    same = (image == pixels).all(axis=2)
    assert same[160:290, 210:390].all()
    assert same[:120].all()
    assert same[310:].all()
    assert same[:, :195].all()
    assert same[:, 405:].all()
    color = palette.colors(2)[1]
    edges = [image[200, 200], image[200, 399], image[299, 300]]
    assert [tuple(edge) for edge in edges] == [color] * 3


def test_boxes_lie_on_the_upright_picture_however_it_was_laid_into_the_input() -> None:
    """Sent on its side (EXIF 6), then put into the middle of a square of half the size."""
    geometry = Geometry((480, 640), Rect(0, 0, 480, 640), Rect(40, 0, 240, 320), (320, 320), 6)
    boxed = detections([[140, 100, 240, 200]], (0, 0), geometry=geometry)
    expected = detections([[200, 200, 400, 400]], (640, 480))
    pixels = plain(640, 480)
    np.testing.assert_array_equal(drawn(boxed, pixels), drawn(expected, pixels))


def test_boxes_of_one_class_have_one_color_and_others_another() -> None:
    boxes = [[10, 100, 100, 200], [210, 100, 300, 200], [410, 100, 500, 200]]
    image = drawn(detections(boxes, (480, 640), class_ids=np.array([7, 7, 300])), plain(480, 640))
    first, second, third = (tuple(image[150, column]) for column in (10, 210, 410))
    assert first == second != third


@pytest.mark.parametrize("class_id", range(0, 254, 5))
def test_boxes_are_seen_on_any_ground(class_id: int) -> None:
    boxed = detections([[100, 100, 200, 200]], (300, 300), class_ids=np.array([class_id]))
    own = palette.colors(255)[class_id + 1]
    for ground in [own, (0, 0, 0), (255, 255, 255), (GRAY, GRAY, GRAY)]:
        across = drawn(boxed, plain(300, 300, ground))[300, 180:220]
        assert max(contrast(pixel, ground) for pixel in across) > 2


@pytest.mark.parametrize("color", palette.colors(255)[1::4])
def test_tags_are_read_on_their_own_ground(color: Color) -> None:
    view = canvas.Canvas.of(plain(480, 640, color))
    tag = np.asarray(render.tag(view, np.array([0, 0, 90, 90]), "Übermut", "0.93", color))
    inner = tag[2:-2, 2:-2].reshape(-1, 3)
    colors, counts = np.unique(inner, axis=0, return_counts=True)
    assert tuple(colors[counts.argmax()]) == color
    assert max(contrast(ink, color) for ink in colors) >= 4.5


@given(
    arrays(np.int64, (12, 4), elements=st.integers(-30, 330)),
    st.lists(st.tuples(st.integers(5, 250), st.integers(5, 40)), max_size=12),
)
def test_tags_stay_within_the_picture(
    corners: NDArray[np.int64], sizes: list[tuple[int, int]]
) -> None:
    boxes = np.hstack([corners[:, :2], corners[:, :2] + np.abs(corners[:, 2:])])
    places = tags.tag_places(boxes, sizes, (250, 300))
    assert len(places) == len(sizes)
    for (left, top), (width, height) in zip(places.tolist(), sizes, strict=True):
        assert 0 <= left <= 250 - width
        assert 0 <= top <= 300 - height


@pytest.mark.parametrize("box", [[200, 150, 400, 350], [0, 0, 640, 480], [0, 0, 200, 300]])
def test_tags_of_boxes_in_one_place_do_not_hide_each_other(box: list[int]) -> None:
    sizes = [(90, 18)] * 12
    places = tags.tag_places(np.array([box] * 12), sizes, (640, 480))
    boxes = np.hstack([places, places + sizes])
    shares = tags.hidden(boxes, boxes)
    np.testing.assert_array_equal(shares, np.eye(12))


def test_a_tag_does_not_hide_a_small_box_where_there_is_room_elsewhere() -> None:
    boxes = np.array([[100, 100, 200, 200], [110, 85, 125, 98]])
    places = tags.tag_places(boxes, [(80, 18)] * 2, (640, 480))
    assert tags.hidden(np.hstack([places, np.add(places, (80, 18))]), boxes[1:]).max() == 0


def test_where_tags_must_overlap_the_surest_is_on_top() -> None:
    result = detections([[0, 0, 60, 40]] * 100, (48, 342), ("surest", *["other"] * 99))
    view = canvas.Canvas.of(plain(48, 342))
    boxes = view.boxes(result.upright_boxes)
    first, *others = [
        render.tag(view, box, label, render.in_words(score, 2), color)
        for box, label, score, color in zip(
            boxes, result.labels, result.scores, render.class_colors(result), strict=True
        )
    ]
    sizes = [each.size for each in (first, *others)]
    (left, top), *_ = tags.tag_places(boxes, sizes, view.image.size).tolist()
    image = drawn(result, plain(48, 342))
    found = image[top : top + first.height, left : left + first.width]
    np.testing.assert_array_equal(found, np.asarray(first))


def test_a_long_label_leaves_room_for_its_score() -> None:
    view = canvas.Canvas.of(plain(480, 640))
    box = np.array([0, 0, 50, 50])
    long = render.tag(view, box, "a name " * 150, "0.93", BLUE)
    assert long.width <= 640 // 3
    other = render.tag(view, box, "a name " * 150, "0.11", BLUE)
    changed = (np.asarray(long) != np.asarray(other)).any(axis=(0, 2))
    assert np.flatnonzero(changed).min() > long.width * 2 / 3


# -- classes ---------------------------------------------------------------------------------------


def bar_lengths(result: Classes) -> list[float]:
    """How much of its track each bar below the picture fills, from the top."""
    below = drawn(result, plain(480, 640))[480:]
    filled = (below == panels.BAR).all(axis=2).sum(axis=1)
    tracks = filled + (below == panels.TRACK).all(axis=2).sum(axis=1)
    rows = groupby(zip(filled.tolist(), tracks.tolist(), strict=True))
    return [length / track for (length, track), _ in rows if track]


@pytest.mark.parametrize(
    ("scores", "shares"),
    [
        ((0.8, 0.4, 0.2), (0.8, 0.4, 0.2)),
        ((1.0, 0.5, 0.0), (1, 0.5, 0)),
        ((20.0, 10.0, -3.0), (1, 0.5, 0)),
        ((np.inf, 0.5, np.nan), (1, 0, 0)),
    ],
)
def test_bars_are_as_long_as_the_scores_are_high(
    scores: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    lengths = bar_lengths(classes(scores, (0, 1, 2), ("a", "b", "c")))
    assert lengths == pytest.approx(list(shares), abs=0.01)


def test_only_the_answered_classes_are_shown() -> None:
    lengths = bar_lengths(classes([0.5, 0.3, 0.2], (0, 2), ("a", "c")))
    assert lengths == pytest.approx([0.5, 0.2], abs=0.01)


def test_of_many_classes_the_first_are_shown_and_the_others_counted() -> None:
    many = classes(np.linspace(1, 0.5, 100), tuple(range(100)), ("name",) * 100)
    assert len(bar_lengths(many)) == panels.MOST_LISTED


def test_the_picture_above_the_bars_is_untouched() -> None:
    pixels = noise(480, 640)
    image = drawn(classes([0.5, 0.5], (0, 1), ("a", "b")), pixels)
    np.testing.assert_array_equal(image[:480], pixels)


# -- masks -----------------------------------------------------------------------------------------


@given(arrays(np.uint8, heights_and_widths))
def test_the_pixels_of_a_mask_png_are_the_classes(mask: NDArray[np.uint8]) -> None:
    colors = palette.colors(254)
    opened = Image.open(io.BytesIO(render.mask_png(mask, colors)))
    assert opened.mode == "P"
    np.testing.assert_array_equal(np.asarray(opened), mask)
    seen = np.asarray(opened.convert("RGB"))[mask < 254]
    np.testing.assert_array_equal(seen, np.array(colors)[mask[mask < 254]])


def test_what_the_model_did_not_see_is_gray_in_a_mask_png() -> None:
    mask = np.full((4, 5), masks.UNSEEN, np.uint8)
    shown = np.asarray(
        Image.open(io.BytesIO(render.mask_png(mask, palette.colors(300)))).convert("RGB")
    )
    np.testing.assert_array_equal(shown, plain(4, 5, (128, 128, 128)))


def test_a_mask_lies_half_transparent_on_its_picture_and_its_borders_are_opaque() -> None:
    mask = np.zeros((480, 640), np.uint8)
    mask[:, 300:] = 1
    image = drawn(segments(mask), plain(480, 640))[:480]
    for column, color in ((100, RED), (500, GREEN)):
        mixed = (np.array(color) + GRAY) / 2
        np.testing.assert_allclose(image[:, column], np.tile(mixed, (480, 1)), atol=1)
    assert (image[:, 299] == RED).all()
    assert (image[:, 300] == GREEN).all()


@pytest.mark.parametrize("size", [(16, 16), (30, 7), (5000, 40), (2100, 2101)])
def test_a_mask_is_drawn_as_its_picture_is(size: tuple[int, int]) -> None:
    """As nearest neighbours: a mask between two classes would be a third."""
    mask = np.random.default_rng(2).integers(0, 3, size, np.uint8)
    view = canvas.Canvas.of(plain(*size))
    height, width = view.size
    expected = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(view.mask(mask), np.asarray(expected))


def test_the_legend_has_the_classes_that_are_there_the_largest_first() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[:60] = 2
    mask[0, 0] = 1
    mask[90:] = masks.UNSEEN
    listed = [(entry.label, entry.share, entry.color) for entry in render.entries(segments(mask))]
    assert listed == [
        ("sea", "60.0%", BLUE),
        ("ground", "30.0%", RED),
        ("(not seen)", "10.0%", (128, 128, 128)),
        ("sky", "<0.1%", GREEN),
    ]


def test_the_legend_shows_the_colors_of_its_classes() -> None:
    mask = np.zeros((480, 640), np.uint8)
    mask[:240] = 2
    below = drawn(segments(mask), plain(480, 640))[480:].reshape(-1, 3)
    shown = {tuple(color) for color in np.unique(below, axis=0)}
    assert {RED, BLUE} < shown
    assert GREEN not in shown


def test_a_long_legend_is_cut_and_says_so() -> None:
    entries = [panels.Entry("name", "1.0%", RED)] * 200
    twenty, more, most = (panels.legend(entries[:count], 640, 14) for count in (20, 21, 200))
    row = panels.line(14)
    assert more.height == most.height == twenty.height + row
    assert not np.array_equal(np.asarray(more)[-row:], np.asarray(most)[-row:])
