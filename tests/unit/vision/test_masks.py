"""Masks: run lengths as pycocotools writes them, and the way from a grid back to the picture."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from plumbline.vision import masks
from plumbline.vision.fit import FITS, place
from plumbline.vision.geometry import Geometry, Rect
from plumbline.vision.resize import FILTERS
from strategies import nasty, sizes

Size = tuple[int, int]


def laid(source: Size, canvas: Size, fit: str = "stretch", orientation: int = 1) -> Geometry:
    """The geometry of a picture of this size as it was sent."""
    upright = source[::-1] if orientation >= 5 else source
    window, inner, _ = FITS[fit](upright, canvas)
    return Geometry(source, window, inner, canvas, orientation)


def discs(size: Size) -> np.ndarray:
    """Three classes of one size each: a ground, a large disc and a small one beside it."""
    y, x = (np.indices(size) + 0.5) / min(size)
    large = np.hypot(y - 0.5, x - 0.5) < 0.35
    small = np.hypot(y - 0.8, x - 0.75) < 0.18
    return np.select([small, large], [2, 1], 0).astype(np.uint8)


def one_hot(classes: np.ndarray, count: int) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[classes]


# -- run lengths --------------------------------------------------------------------------------


def by_pycocotools(mask: np.ndarray) -> list[masks.Segment]:
    """Each class's pixels, counted and encoded as pycocotools does it."""
    found = []
    for class_id in np.unique(mask):
        made = coco.encode(np.asfortranarray(mask == class_id))
        encoded = {"size": list(made["size"]), "counts": made["counts"].decode("ascii")}
        found.append(masks.Segment(int(class_id), int(coco.area(made)), encoded))
    return found


@nasty
@given(sizes.flatmap(lambda size: hnp.arrays(np.uint8, size, elements=st.integers(0, 3))))
def test_any_small_mask_is_written_as_pycocotools_does(mask: np.ndarray) -> None:
    assert masks.segments(mask) == by_pycocotools(mask)


@nasty
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 4, 256]), st.sampled_from([0, 0.001, 0.1]))
def test_runs_of_all_lengths_are_written_as_pycocotools_does(
    seed: int, classes: int, noise: float
) -> None:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, classes, (9, 7), np.uint8)
    mask = np.kron(blocks, np.ones(rng.integers(1, 60, 2), np.uint8))
    mask = np.where(rng.random(mask.shape) < noise, np.uint8(255), mask)
    assert masks.segments(mask) == by_pycocotools(mask)


@pytest.mark.parametrize("ground", [0, 1])
def test_a_run_of_millions_is_written_as_pycocotools_does(ground: int) -> None:
    mask = np.full((3000, 4000), ground, np.uint8)
    mask[2500, 3999] = 1 - ground
    assert masks.segments(mask) == by_pycocotools(mask)


def test_pycocotools_reads_the_mask_back() -> None:
    mask = discs((123, 77))
    for each in masks.segments(mask):
        np.testing.assert_array_equal(coco.decode(each.run_lengths), mask == each.class_id)


def test_a_mask_that_is_a_turned_view_is_written_as_it_looks() -> None:
    mask = discs((50, 80)).T[::-1]
    assert masks.segments(mask) == by_pycocotools(mask)


# -- from the grid to the picture -----------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), sizes, st.integers(2, 9))
def test_a_grid_of_the_pictures_size_gives_each_pixel_its_best_class(
    seed: int, size: Size, classes: int
) -> None:
    scores = np.random.default_rng(seed).random((*size, classes), np.float32)
    found = masks.from_scores(scores, laid(size, size))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, scores.argmax(axis=-1))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("grid", [(96, 96), (48, 48), (37, 53), (192, 160)], ids=str)
@pytest.mark.parametrize("size", [(300, 400), (400, 260)], ids=str)
def test_what_was_in_the_picture_is_found_where_it_was(fit: str, grid: Size, size: Size) -> None:
    """A model that sees exactly what is there, on a finer or coarser grid than its input's."""
    truth = discs(size)
    pixels = 255 * np.eye(3, dtype=np.uint8)[truth]
    seen, geometry = place(pixels, (96, 96), FITS[fit], FILTERS["tensorflow-area"])
    scores = FILTERS["tensorflow-area"](np.rint(seen).astype(np.uint8), grid)
    found = masks.from_scores(scores, geometry)
    for number in (1, 2):
        there, wanted = found == number, (truth == number) & (found != masks.UNSEEN)
        assert (there & wanted).sum() / (there | wanted).sum() > 0.93
        centres = [np.argwhere(each).mean(axis=0) for each in (there, wanted)]
        np.testing.assert_allclose(*centres, atol=1)


def test_what_crop_cuts_off_is_unseen() -> None:
    geometry = laid((40, 60), (8, 8), "crop")
    found = masks.from_scores(one_hot(np.ones((8, 8), int), 3), geometry)
    expected = np.full((40, 60), masks.UNSEEN)
    expected[:, 10:50] = 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(masks.from_classes(np.ones((8, 8), np.uint8), geometry), expected)


@pytest.mark.parametrize("fit", ["pad", "letterbox", "yolo"])
def test_the_padding_is_no_part_of_the_picture(fit: str) -> None:
    """The padding, above and below, is surely of class 2, the picture inside of class 1."""
    scores = 9 * one_hot(np.full((8, 8), 2), 3)
    scores[2:6] = [0, 1, 0]
    found = masks.from_scores(scores, laid((400, 800), (16, 16), fit))
    edge = 50 if fit == "pad" else 0  # a picture padded first has no edge where the resize stops
    assert found.shape == (400, 800)
    assert (found[edge : 400 - edge] == 1).all()


def test_of_a_fraction_of_a_sample_the_exact_place_counts() -> None:
    """The picture fills the samples 1.5 to 6.5 of 8; the class changes in their middle."""
    columns = np.repeat([0, 1], 4)
    scores = one_hot(np.tile(columns, (8, 1)), 2)
    geometry = Geometry((64, 100), Rect(0, 0, 100, 64), Rect(3, 0, 10, 16), (16, 16))
    np.testing.assert_array_equal(
        masks.from_scores(scores, geometry), np.tile(np.repeat([0, 1], 50), (64, 1))
    )


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_mask_is_that_of_the_upright_picture(orientation: int) -> None:
    geometry = laid((30, 50), (16, 16), orientation=orientation)
    found = masks.from_scores(one_hot(discs((16, 16)), 3), geometry)
    assert found.shape == geometry.upright


def test_of_one_channel_the_threshold_decides() -> None:
    ramp = np.linspace(0, 1, 101, dtype=np.float32)[None, :, None]
    found = masks.from_scores(ramp, laid((1, 101), (1, 101)), 0.3)
    np.testing.assert_array_equal(found[0], np.arange(101) >= 30)
    np.testing.assert_array_equal(masks.on_grid(ramp, 0.3), found)


def test_of_equal_scores_the_first_class_is_taken() -> None:
    scores = np.full((2, 2, 4), 0.25, np.float32)
    assert not masks.from_scores(scores, laid((300, 9), (2, 2))).any()


def test_scores_that_are_no_numbers_still_give_a_mask() -> None:
    scores = one_hot(discs((9, 9)), 3)
    scores[4, 4] = np.nan
    found = masks.from_scores(scores, laid((90, 90), (9, 9)))
    assert set(np.unique(found)) <= {0, 1, 2}
    np.testing.assert_array_equal(
        found[:20], masks.from_scores(np.nan_to_num(scores), laid((90, 90), (9, 9)))[:20]
    )


@pytest.mark.parametrize(
    "scores",
    [
        [[0.6, 0.4, 0.0], [0.0, 0.4, 0.6]],
        [[0.3, 0.4, 0.0], [0.45, 0.35, 0.5], [0.0, 0.1, 0.5]],
        [[0.0, 0.1, 0.5], [0.45, 0.35, 0.5], [0.3, 0.4, 0.0]],
    ],
    ids=["second at both ends", "ahead left of a peak", "ahead right of a peak"],
)
def test_a_class_that_is_best_at_no_sample_can_be_the_best_in_between(
    scores: list[list[float]],
) -> None:
    samples = np.array(scores, np.float32)
    found = masks.from_scores(samples[None], laid((1, 200), (1, len(samples))))
    places = (np.arange(200) + 0.5) * len(samples) / 200 - 0.5
    between = [np.interp(places, np.arange(len(samples)), each) for each in samples.T]
    assert not set(np.argmax(between, axis=0)) <= set(samples.argmax(axis=1))
    np.testing.assert_array_equal(found[0], np.argmax(between, axis=0))


def test_memory_does_not_grow_with_the_classes() -> None:
    classes = discs((64, 64)).astype(int) * 70
    scores, geometry = one_hot(classes, 150), laid((2000, 3000), (64, 64))
    tracemalloc.start()
    masks.from_scores(scores, geometry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * 3000 + 8_000_000
