"""Boxes against TensorFlow and Keras: formats, overlaps, suppression, the decoding of priors."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import Detection, ModelSpec
from plumbline.tasks.detection import DetectionTask
from plumbline.vision import priors
from plumbline.vision.boxes import FIRST, FORMATS, ROUND, Candidates, corners, extent, iou, suppress
from plumbline.vision.geometry import Geometry, Rect

pytestmark = pytest.mark.tensorflow

Array = np.ndarray[Any, Any]

PRIORS, CLASSES = 1917, 21
SIDE = 300


def candidates_of(boxes: Array, scores: Array) -> Candidates:
    """Boxes `[n, 4]` with scores `[n, classes]`, each class a group of its own."""
    return Candidates(boxes, scores, np.arange(scores.shape[1]))


def by_tensorflow(
    boxes: Array, scores: Array, most: int, iou_threshold: float, least: float = float("-inf")
) -> list[int]:
    """`tf.image.non_max_suppression` for corners in our order."""
    import tensorflow as tf

    kept = tf.image.non_max_suppression(
        boxes[:, [1, 0, 3, 2]], scores, most, iou_threshold, score_threshold=least
    )
    return [int(place) for place in kept.numpy()]


def class_by_class(
    boxes: Array, scores: Array, threshold: float, candidates: int, most: int
) -> list[tuple[int, int]]:
    """Of each class the best, suppressed by TensorFlow; of all, the best again."""
    import tensorflow as tf

    found: list[tuple[float, int, int]] = []
    for number in range(scores.shape[1]):
        column = scores[:, number]
        best = tf.math.top_k(column, min(candidates, len(column))).indices.numpy()
        best = best[column[best] > np.float32(threshold)]
        kept = by_tensorflow(boxes[best], column[best], len(best), 0.45)
        found += [(-column[best[place]], int(best[place]), number) for place in kept]
    return [(place, number) for _, place, number in sorted(found)[:most]]


def ours(
    boxes: Array, scores: Array, threshold: float, candidates: int, most: int
) -> list[tuple[int, int]]:
    """The same by `suppress`."""
    above = np.where(scores > np.float32(threshold), scores, np.float32(-np.inf))
    kept = suppress(
        candidates_of(boxes, above), iou_threshold=0.45, max_candidates=candidates, max_kept=most
    )
    return [divmod(each, scores.shape[1]) for each in kept.tolist()]


coordinates = st.one_of(
    st.integers(-4, 4).map(float),  # many that touch, are equal or have no area
    st.floats(-2, 2, width=32, allow_subnormal=False).map(lambda value: round(value, 3)),
)
levels = st.one_of(
    st.integers(-1, 3).map(lambda level: level / 4),
    st.floats(0, 1, width=32, allow_subnormal=False),  # TensorFlow takes subnormal ones for 0
)


@st.composite
def any_boxes(draw: st.DrawFn) -> Array:
    count = draw(st.integers(0, 40))
    return draw(hnp.arrays(np.float32, (count, 4), elements=coordinates))


@given(
    boxes=any_boxes(),
    data=st.data(),
    most=st.integers(1, 50),
    iou_threshold=st.sampled_from([0.0, 0.25, 0.45, 0.5, 1.0]),
)
def test_suppression_of_any_boxes(
    boxes: Array, data: st.DataObject, most: int, iou_threshold: float
) -> None:
    """Ties, boxes without area, and corners in any order among them."""
    scores = data.draw(hnp.arrays(np.float32, (len(boxes), 1), elements=levels))
    kept = suppress(
        candidates_of(boxes, scores),
        iou_threshold=iou_threshold,
        max_candidates=len(boxes) + 1,
        max_kept=most,
    )
    assert kept.tolist() == by_tensorflow(boxes, scores[:, 0], most, iou_threshold)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.5], ids=str)
def test_suppression_of_thousands_of_boxes(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    centers = rng.uniform(0, 1, (12, 2))[rng.integers(0, 12, 3000)]
    centers = centers + rng.normal(0, spread, centers.shape)
    half = rng.uniform(0.02, 0.2, centers.shape)
    boxes = np.concatenate([centers - half, centers + half], axis=1).astype(np.float32)
    scores = (rng.integers(0, 500, (3000, 1)) / 500).astype(np.float32)
    assert len(boxes) > FIRST + ROUND
    for most in (1, 100, 3000):
        kept = suppress(
            candidates_of(boxes, scores), iou_threshold=0.5, max_candidates=3000, max_kept=most
        )
        assert kept.tolist() == by_tensorflow(boxes, scores[:, 0], most, 0.5)


@given(boxes=any_boxes())
def test_overlaps_are_tensorflows_to_the_bit(boxes: Array) -> None:
    """A box is suppressed at its own overlap with a surer one only if that is above the threshold.

    TensorFlow does not tell its overlaps, but where they end it does.
    """
    upright = np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )
    scores = np.array([2, 1], np.float32)
    for pair in pairwise(upright):
        both = np.array(pair)
        found = iou(both[:1], both[1:])[0]
        below = np.nextafter(found, np.float32(-1))
        assert by_tensorflow(both, scores, 2, float(found)) == [0, 1]
        assert by_tensorflow(both, scores, 2, float(max(below, 0))) == ([0] if found else [0, 1])


KINDS = {"random": (0.5, 1.0), "sharp": (0.5, 6.0), "crowded": (0.01, 1.0), "level": (0.1, 0.0)}
"""How far boxes lie apart, and how much their scores differ."""


def scene(kind: str) -> tuple[Array, Array]:
    """Boxes `[n, 4]` around a few places, and their scores `[n, classes]`."""
    spread, sharpness = KINDS[kind]
    rng = np.random.default_rng(1)
    centers = rng.uniform(0, 1, (9, 2))[rng.integers(0, 9, PRIORS)]
    centers = centers + rng.normal(0, spread, centers.shape)
    half = rng.uniform(0.02, 0.2, centers.shape)
    boxes = np.concatenate([centers - half, centers + half], axis=1).astype(np.float32)
    powers = np.exp(rng.normal(size=(PRIORS, CLASSES)) * sharpness)
    return boxes, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("candidates", [10, 400, PRIORS])
@pytest.mark.parametrize("most", [1, 200, PRIORS])
def test_suppression_class_by_class(kind: str, candidates: int, most: int) -> None:
    boxes, scores = scene(kind)
    found = ours(boxes, scores, 0.01, candidates, most)
    assert found == class_by_class(boxes, scores, 0.01, candidates, most)


@given(
    boxes=any_boxes(),
    data=st.data(),
    candidates=st.integers(1, 10),
    most=st.integers(1, 60),
)
def test_suppression_class_by_class_of_any_boxes(
    boxes: Array, data: st.DataObject, candidates: int, most: int
) -> None:
    shape = (len(boxes), data.draw(st.integers(1, 4)))
    scores = data.draw(hnp.arrays(np.float32, shape, elements=levels))
    found = ours(boxes, scores, 0.25, candidates, most)
    assert found == class_by_class(boxes, scores, 0.25, candidates, most)


@pytest.mark.parametrize("kind", ["random", "sharp", "crowded"])
def test_suppression_is_tensorflows_combined_one(kind: str) -> None:
    import tensorflow as tf

    boxes, scores = scene(kind)
    theirs = tf.image.combined_non_max_suppression(
        boxes[None, :, None, [1, 0, 3, 2]],
        scores[None],
        max_output_size_per_class=PRIORS,
        max_total_size=200,
        iou_threshold=0.45,
        score_threshold=0.01,
        clip_boxes=False,
    )
    found = ours(boxes, scores, 0.01, PRIORS, 200)
    places, classes = np.array(found).T
    assert len(found) == int(theirs.valid_detections[0])
    count = len(found)
    np.testing.assert_array_equal(scores[places, classes], theirs.nmsed_scores[0, :count])
    np.testing.assert_array_equal(classes, theirs.nmsed_classes[0, :count])
    np.testing.assert_array_equal(
        boxes[places], theirs.nmsed_boxes.numpy()[0, :count, [1, 0, 3, 2]].T
    )


@pytest.mark.parametrize("box_format", FORMATS)
@settings(max_examples=10)  # of up to forty boxes each; Keras takes long for any number of them
@given(boxes=any_boxes(), size=st.tuples(st.integers(1, 999), st.integers(1, 999)))
def test_formats_are_keras(box_format: str, boxes: Array, size: tuple[int, int]) -> None:
    import keras

    height, width = size
    name = box_format
    if name == "rel_center_yxhw":  # the one that Keras lacks
        name, boxes = "rel_center_xywh", boxes[:, [1, 0, 3, 2]]
    theirs = keras.utils.bounding_boxes.convert_format(
        boxes.copy(), source=name, target="xyxy", height=height, width=width
    )
    if name != box_format:
        boxes = boxes[:, [1, 0, 3, 2]]
    found = corners(boxes, box_format) * extent(box_format, size)
    np.testing.assert_allclose(found, np.asarray(theirs), rtol=1e-6, atol=1e-3)


def raw_rows(seed: int, far: float, level: float) -> Array:
    """An SSD's output `[priors, 4 + classes + 8]`; far offsets lead out of the picture."""
    rng = np.random.default_rng(seed)
    centers, half = rng.uniform(0, 1, (PRIORS, 2)), rng.uniform(0.02, 0.3, (PRIORS, 2))
    powers = np.exp(rng.normal(size=(PRIORS, CLASSES)) * level)
    parts = [
        rng.normal(0, far, (PRIORS, 4)),
        powers / powers.sum(axis=1, keepdims=True),
        np.concatenate([centers - half, centers + half], axis=1),
        np.broadcast_to([0.1, 0.1, 0.2, 0.2], (PRIORS, 4)),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def decoded_by_tensorflow(rows: Array) -> Any:
    """The decoder of an SSD in TensorFlow, a line for each step."""
    import tensorflow as tf

    offsets, prior, variance = rows[:, :4], rows[:, -8:-4], rows[:, -4:]
    size = tf.constant(prior[:, 2:] - prior[:, :2])
    center = tf.constant((prior[:, 2:] + prior[:, :2]) / 2)
    new_center = offsets[:, :2] * variance[:, :2] * size + center
    new_size = tf.exp(offsets[:, 2:] * variance[:, 2:]) * size
    boxes = tf.concat([new_center - new_size / 2, new_center + new_size / 2], axis=1)
    return tf.clip_by_value(boxes, 0.0, 1.0).numpy()


@pytest.mark.parametrize("far", [0.0, 1.0, 10.0])
def test_the_decoding_of_priors(far: float) -> None:
    rows = raw_rows(0, far, 1)
    found = priors.decode(rows[:, :4], rows[:, -8:-4], rows[:, -4:])
    np.testing.assert_allclose(found, decoded_by_tensorflow(rows), atol=2e-7)


def detector(**declared: Any) -> DetectionTask:
    task = DetectionTask(ModelSpec(detection=Detection(format="ssd", **declared)), None)
    image = TensorSpec("image", (None, SIDE, SIDE, 3), "float32")
    output = TensorSpec("detections", (None, PRIORS, 4 + CLASSES + 8), "float32")
    task.fit(Signature((image,), (output,)))
    return task


@pytest.mark.parametrize("far", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("level", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("threshold", [0.01, 0.2, 0.6])
def test_the_answer_is_that_of_the_plain_decoder(
    far: float, level: float, threshold: float
) -> None:
    """Rows as the decoder of an SSD gives them: label, confidence, xmin, ymin, xmax, ymax."""
    rows = raw_rows(2, far, level)
    boxes, scores = decoded_by_tensorflow(rows), rows[:, 4:-8]
    kept = class_by_class(boxes, scores[:, 1:], threshold, 400, 200)
    expected = [[number + 1, scores[place, number + 1], *boxes[place]] for place, number in kept]
    [found] = detector(score_threshold=threshold).results(
        {"detections": rows[None]}, [Geometry.whole((SIDE, SIDE))], {}
    )
    np.testing.assert_allclose(
        found.builtin()["prediction"], np.reshape(expected, (-1, 6)), atol=3e-7
    )


@pytest.mark.parametrize("threshold", [0.01, 0.1])
def test_agnostic_suppression_is_of_each_boxs_best_class(threshold: float) -> None:
    rows = raw_rows(3, 1.0, 1.0)
    scores = rows[:, 5:-8]
    boxes = priors.decode(rows[:, :4], rows[:, -8:-4], rows[:, -4:])
    kept = by_tensorflow(boxes, scores.max(axis=1), 200, 0.45, threshold)
    task = detector(nms="agnostic", max_candidates=PRIORS, score_threshold=threshold)
    [found] = task.results({"detections": rows[None]}, [Geometry.whole((SIDE, SIDE))], {})
    expected = [[scores[place].argmax() + 1, scores[place].max(), *boxes[place]] for place in kept]
    np.testing.assert_allclose(
        found.builtin()["prediction"], np.reshape(expected, (-1, 6)), atol=1e-7
    )


def test_a_yolo_head_against_tensorflow() -> None:
    """Boxes in the sent picture, which a letterbox shrank; suppression by TensorFlow."""
    random = np.random.default_rng(5)
    count, classes, side = 2100, 4, 320
    columns = random.random((4 + classes, count), np.float32)
    columns[2:4] = 0.05 + 0.2 * columns[2:4]
    height, width = 200, 300
    scale = side / width
    top = (side - round(height * scale)) // 2
    geometry = replace(
        Geometry.whole((height, width)),
        canvas=(side, side),
        inner=Rect(0, top, side, round(height * scale)),
    )
    spec = ModelSpec(
        detection=Detection(
            format="yolo", score_threshold=0.6, max_detections=80, max_candidates=count
        )
    )
    task = DetectionTask(spec, None)
    picture = TensorSpec("images", (1, side, side, 3), "float32")
    task.fit(Signature((picture,), (TensorSpec("o", (1, 4 + classes, count), "float32"),)))

    [found] = task.results({"o": columns[None]}, [geometry], {})

    x, y, wide, high = columns[:4]
    boxes = np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], 1)
    inside = (boxes[:, 3] * side >= top) & (boxes[:, 1] * side <= top + round(height * scale))
    scores = np.where(inside[:, None], columns[4:].T, np.float32(0))
    expected = class_by_class(boxes, scores, 0.6, count, 80)
    assert [int(number) for number in found.class_ids] == [number for _, number in expected]
    kept = boxes[[place for place, _ in expected]] * side
    kept = (kept - [0, top, 0, top]) / np.tile([scale, round(height * scale) / height], 2)
    kept = np.clip(kept, 0, [width, height, width, height])
    np.testing.assert_allclose(found.pixel_boxes(), kept, atol=1e-3)
