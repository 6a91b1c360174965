"""Masks against TensorFlow: resized as probabilities, then the best class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.results.task_results import Segments
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec, Segmentation
from plumbline.tasks.segmentation import SegmentationTask
from plumbline.vision import masks
from plumbline.vision.fit import FITS
from plumbline.vision.geometry import Geometry
from strategies import sizes

pytestmark = pytest.mark.tensorflow

Size = tuple[int, int]

pictures = st.one_of(sizes, st.tuples(st.integers(91, 500), st.integers(91, 500)))


@st.composite
def grids(draw: st.DrawFn, size: Size, classes: int) -> np.ndarray:
    """Scores `[*size, classes]`: noise, few levels that tie, or large areas of one class."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["noise", "ties", "areas"]))
    if kind == "ties":
        return (rng.integers(0, 4, (*size, classes)) / 4).astype(np.float32)
    scores = rng.random((*size, classes), np.float32)
    if kind == "areas":
        rows, columns = (np.arange(length) * 3 // length for length in size)
        scores += np.eye(classes, dtype=np.float32)[
            rng.integers(0, classes, (3, 3))[rows][:, columns]
        ]
    return scores


def resized(values: np.ndarray, size: Size, method: str) -> np.ndarray:
    import tensorflow as tf

    return np.asarray(tf.image.resize(values, size, method))


def by_tensorflow(scores: np.ndarray, geometry: Geometry, method: str = "bilinear") -> np.ndarray:
    """The scores of the upright picture, for a grid as fine as the input; NaN for the unseen."""
    left, top, width, height = geometry.inner
    shown = scores[top : top + height, left : left + width]
    window = geometry.window
    enlarged = resized(shown, (window.height, window.width), method)
    rows, columns = (np.arange(length) for length in geometry.upright)
    inside = np.ix_(
        (rows >= window.top) & (rows < window.top + window.height),
        (columns >= window.left) & (columns < window.left + window.width),
    )
    upright = np.full((*geometry.upright, scores.shape[-1]), np.nan, np.float32)
    upright[inside] = enlarged[max(0, -window.top) :, max(0, -window.left) :][
        : len(inside[0]), : inside[1].shape[1]
    ]
    return upright


def expected(scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    one = scores.shape[-1] == 1
    best = scores[..., 0] >= np.float32(threshold) if one else scores.argmax(axis=-1)
    return np.where(np.isnan(scores[..., 0]), masks.UNSEEN, best)


def whole(size: Size, canvas: Size = (64, 64)) -> Geometry:
    window, inner, _ = FITS["stretch"](size, canvas)
    return Geometry(size, window, inner, canvas)


@given(picture=pictures, grid=sizes, classes=st.integers(1, 30), data=st.data())
def test_a_grid_of_any_size_is_resized_as_tensorflow_does(
    picture: Size, grid: Size, classes: int, data: st.DataObject
) -> None:
    scores = data.draw(grids(grid, classes))
    np.testing.assert_array_equal(
        masks.from_scores(scores, whole(picture)), expected(resized(scores, picture, "bilinear"))
    )


@pytest.mark.parametrize("fit", FITS)
@given(picture=pictures, canvas=sizes, classes=st.integers(1, 6), data=st.data())
def test_every_fit_is_undone_as_tensorflow_would(
    fit: str, picture: Size, canvas: Size, classes: int, data: st.DataObject
) -> None:
    window, inner, _ = FITS[fit](picture, canvas)
    geometry = Geometry(picture, window, inner, canvas)
    scores = data.draw(grids(canvas, classes))
    np.testing.assert_array_equal(
        masks.from_scores(scores, geometry), expected(by_tensorflow(scores, geometry))
    )


@pytest.mark.parametrize("fit", FITS)
@given(picture=pictures, canvas=sizes, data=st.data())
def test_classes_are_resized_to_the_nearest_as_tensorflow_does(
    fit: str, picture: Size, canvas: Size, data: st.DataObject
) -> None:
    window, inner, _ = FITS[fit](picture, canvas)
    geometry = Geometry(picture, window, inner, canvas)
    classes = data.draw(grids(canvas, 5)).argmax(axis=-1).astype(np.uint8)
    wanted = by_tensorflow(classes[..., None].astype(np.float32), geometry, "nearest")[..., 0]
    np.testing.assert_array_equal(
        masks.from_classes(classes, geometry), np.nan_to_num(wanted, nan=masks.UNSEEN)
    )


@pytest.mark.parametrize("size", [(375, 500), (1200, 1600)], ids=str)
def test_a_unets_logits_become_the_mask_that_its_author_would_compute(size: Size) -> None:
    import tensorflow as tf

    logits = np.random.default_rng(7).normal(size=(128, 128, 3)).astype(np.float32)
    task = SegmentationTask(ModelSpec(segmentation=Segmentation(activation="softmax")), None)
    image = TensorSpec("image", (None, 128, 128, 3), "float32")
    task.fit(Signature((image,), (TensorSpec("logits", (None, 128, 128, 3), "float32"),)))
    [found] = task.results({"logits": logits[None]}, [whole(size, (128, 128))], {})
    probabilities = np.asarray(tf.image.resize(tf.nn.softmax(logits), size))
    assert isinstance(found, Segments)
    first, second = np.sort(probabilities, axis=-1)[..., :0:-1].transpose(2, 0, 1)
    sure = first - second > 1e-6  # where softmax's own rounding decides nothing
    assert sure.mean() > 0.9999
    np.testing.assert_array_equal(found.mask[sure], probabilities.argmax(axis=-1)[sure])
    _, on_grid, *_ = task.readings({"logits": logits[None]}, whole(size, (128, 128)))
    np.testing.assert_array_equal(on_grid["mask"], tf.argmax(logits[None], axis=-1))
