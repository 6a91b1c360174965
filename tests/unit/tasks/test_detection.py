"""Outputs of detectors → boxes on the picture that was sent."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from plumbline.errors import SpecError
from plumbline.results.task_results import Detections
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.known_keys import DETECTION_FORMATS
from plumbline.spec.labels import NumberedLabels
from plumbline.spec.model_spec import Detection, ModelChoice, ModelSpec
from plumbline.tasks.detection import DetectionTask
from plumbline.tasks.detection_outputs import READERS
from plumbline.tasks.ways_out import FORMATS_IN_WORDS, OTHER_FORM
from plumbline.vision.fit import FITS, place
from plumbline.vision.geometry import TURNS, Geometry, Rect, upright
from plumbline.vision.resize import FILTERS

Array = np.ndarray[Any, Any]
Labels = tuple[str, ...] | None

IMAGE = TensorSpec("image", (None, 100, 200, 3), "float32")
WHOLE = Geometry.whole((100, 200))

API = {
    "detection_boxes": (None, 3, 4),
    "detection_scores": (None, 3),
    "detection_classes": (None, 3),
    "num_detections": (None,),
}
KERAS = {
    "boxes": (None, 3, 4),
    "confidence": (None, 3),
    "labels": (None, 3),
    "num_detections": (None,),
}
RAW = {"boxes": (None, 3, 4), "scores": (None, 3, 2)}
SSD = {"detections": (None, None, 4 + 3 + 8)}
ROWS = {"rows": (None, 3, 6)}

Shapes = Mapping[str, tuple[int | None, ...]]


def signature(shapes: Shapes) -> Signature:
    return Signature(
        (IMAGE,), tuple(TensorSpec(name, shape, "float32") for name, shape in shapes.items())
    )


def fitted(
    shapes: Shapes, labels: Labels = None, output: str | None = None, **declared: Any
) -> DetectionTask:
    spec = ModelSpec(model=ModelChoice(output=output), detection=Detection(**declared))
    task = DetectionTask(spec, labels)
    task.fit(signature(shapes))
    return task


def refused(shapes: Shapes, labels: Labels = None, **declared: Any) -> str:
    with pytest.raises(SpecError) as caught:
        fitted(shapes, labels, **declared)
    return caught.value.message


def only(
    task: DetectionTask, outputs: Mapping[str, Any], geometry: Geometry = WHOLE, **options: Any
) -> Detections:
    """The answer for a batch of one; `outputs` are without the batch's axis."""
    batch = {name: np.asarray(values, np.float32)[None] for name, values in outputs.items()}
    [found] = task.results(batch, [geometry], options)
    assert isinstance(found, Detections)
    return found


def seen(found: Detections) -> list[tuple[str, int, float, list[float]]]:
    """Label, class, score and box in pixels, rounded."""
    return [
        (one["label"], int(one["class_id"]), round(float(one["score"]), 3), rounded(one["box"]))
        for one in found.typed()["detections"]
    ]


def rounded(box: Sequence[float]) -> list[float]:
    return [round(float(each), 2) for each in box]


PRIOR = [0.25, 0.5, 0.75, 0.75]
VARIANCES = [0.1, 0.1, 0.2, 0.2]


def prior_row(scores: Sequence[float], offsets: Sequence[float] = (0, 0, 0, 0)) -> list[float]:
    return [*offsets, *scores, *PRIOR, *VARIANCES]


def test_a_prior_that_is_not_moved_is_the_box() -> None:
    found = only(fitted(SSD, format="ssd"), {"detections": [prior_row([0.1, 0.3, 0.6])]})
    assert seen(found) == [
        ("2", 2, 0.6, [50, 50, 150, 75]),
        ("1", 1, 0.3, [50, 50, 150, 75]),
    ]


def test_offsets_are_in_variances_of_the_priors_size() -> None:
    row = prior_row([0, 1, 0], [1, -2, 5 * np.log(1.5), 5 * np.log(0.5)])
    found = only(fitted(SSD, format="ssd"), {"detections": [row]})
    center, size = [0.5 + 0.05, 0.625 - 0.05], [0.75, 0.125]
    low, high = np.subtract(center, np.divide(size, 2)), np.add(center, np.divide(size, 2))
    assert seen(found) == [("1", 1, 1.0, rounded([*low, *high] * np.array([200, 100] * 2)))]


def test_boxes_are_clipped_to_the_input() -> None:
    row = prior_row([0, 1, 0], [0, 0, 20, 20])
    assert seen(only(fitted(SSD, format="ssd"), {"detections": [row]}))[0][3] == [0, 0, 200, 100]


def test_a_score_must_be_above_the_threshold() -> None:
    task = fitted(SSD, format="ssd", score_threshold=0.25)
    found = only(task, {"detections": [prior_row([0, 0.25, 0.75])]})
    assert found.class_ids.tolist() == [2]


@pytest.mark.parametrize(
    ("background", "class_ids"), [(None, [2, 1]), (0, [2, 1]), (2, [1, 0]), (False, [2, 1, 0])]
)
def test_the_background_is_never_seen(background: Any, class_ids: list[int]) -> None:
    task = fitted(SSD, format="ssd", background=background, score_threshold=0)
    found = only(task, {"detections": [prior_row([0.1, 0.3, 0.6])]})
    assert found.class_ids.tolist() == class_ids


@pytest.mark.parametrize(
    ("labels", "background", "expected"),
    [
        (("nothing", "cat", "dog"), None, ["dog", "cat"]),
        (("cat", "dog"), None, ["dog", "cat"]),
        (("cat", "dog"), 2, ["dog", "cat"]),
        (("cat", "dog", "bee"), False, ["bee", "dog", "cat"]),
    ],
    ids=["with the background", "without", "the background last", "no background"],
)
def test_labels_are_of_all_classes_or_of_those_beside_the_background(
    labels: tuple[str, ...], background: Any, expected: list[str]
) -> None:
    task = fitted(SSD, labels, format="ssd", background=background, score_threshold=0)
    found = only(task, {"detections": [prior_row([0.1, 0.3, 0.6])]})
    assert list(found.labels) == expected


@pytest.mark.parametrize("labels", [("cat",), ("a", "b", "c", "d")], ids=len)
def test_labels_must_be_as_many(labels: tuple[str, ...]) -> None:
    assert refused(SSD, labels, format="ssd") == (
        f"There are {len(labels)} labels, but the model has 3 classes, of which 0 is the "
        "background (detections: float32 [?, ?, 15]). Give one label for each class, with the "
        "background or without it, also for numbers that mean nothing; [detection] "
        "first_class says which class the first label is of. Without labels, classes are "
        "answered by their numbers."
    )


@pytest.mark.parametrize("labels", [("cat", "dog"), ("nothing", "cat", "dog")], ids=len)
def test_the_labels_say_that_it_is_one(labels: tuple[str, ...]) -> None:
    found = only(fitted(SSD, labels), {"detections": [prior_row([0.1, 0.3, 0.6])]})
    assert found.labels == ("dog", "cat")


@pytest.mark.parametrize(
    ("activation", "expected"), [("softmax", [0.665, 0.245]), ("sigmoid", [0.731, 0.5])]
)
def test_logits_become_scores(activation: str, expected: list[float]) -> None:
    task = fitted(SSD, format="ssd", activation=activation)
    found = only(task, {"detections": [prior_row([-1, 0, 1])]})
    assert [round(float(score), 3) for score in found.scores] == expected


def test_a_prior_that_a_surer_one_overlaps_is_left_out() -> None:
    rows = [prior_row([0, 0.7, 0]), prior_row([0, 0.9, 0.3], [0.1, 0, 0, 0])]
    found = only(fitted(SSD, format="ssd"), {"detections": rows})
    assert [(each[1], each[2]) for each in seen(found)] == [(1, 0.9), (2, 0.3)]


@pytest.mark.parametrize(
    ("nms", "expected"),
    [("per-class", [0.9, 0.8]), ("agnostic", [0.9]), ("none", [0.9, 0.8, 0.7, 0.6])],
)
def test_the_declared_suppression(nms: str, expected: list[float]) -> None:
    rows = [prior_row([0, 0.9, 0.6]), prior_row([0, 0.7, 0.8])]
    found = only(fitted(SSD, format="ssd", nms=nms), {"detections": rows})
    assert [each[2] for each in seen(found)] == expected


def test_the_declared_limits() -> None:
    rows = [prior_row([0, score, 0], [30 * k, 0, 0, 0]) for k, score in enumerate([0.9, 0.8, 0.7])]
    for limit in ("max_candidates", "max_detections"):
        found = only(fitted(SSD, format="ssd", **{limit: 2}), {"detections": rows})
        assert [each[2] for each in seen(found)] == [0.9, 0.8]


def test_the_request_overrules_threshold_and_limit() -> None:
    task = fitted(SSD, format="ssd", score_threshold=0.5, max_detections=1)
    outputs = {"detections": [prior_row([0, 0.4, 0.6])]}
    assert only(task, outputs).class_ids.tolist() == [2]
    assert only(task, outputs, score_threshold=0.7).class_ids.tolist() == []
    assert only(task, outputs, score_threshold=0.1).class_ids.tolist() == [2]
    lower = only(task, outputs, score_threshold=0.1, max_detections=5)
    assert lower.class_ids.tolist() == [2, 1]


@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, -np.inf, np.nan, 3e38])
@pytest.mark.parametrize("column", range(15))
@pytest.mark.parametrize("activation", ["none", "softmax", "sigmoid"])
@pytest.mark.parametrize("nms", ["per-class", "agnostic"])
def test_outputs_that_are_no_numbers_harm_nothing(
    value: float, column: int, activation: str, nms: str
) -> None:
    good, bad = prior_row([0, 0.9, 0.2]), prior_row([0, 0.8, 0.1], [50, 0, 0, 0])
    bad[column] = value
    task = fitted(SSD, format="ssd", activation=activation, nms=nms, score_threshold=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = only(task, {"detections": [bad, good]})
        assert np.isfinite(found.array()).all()
    assert [50, 50, 150, 75] in [each[3] for each in seen(found)]


@pytest.mark.parametrize("columns", [6, 12, 13, None])
def test_there_must_be_columns_for_two_classes(columns: int | None) -> None:
    shown = "?" if columns is None else columns
    assert refused({"out": (None, 9, columns)}, format="ssd") == (
        '[detection] format = "ssd" needs an output [batch, priors, 4 + classes + 8] with at '
        "least 2 classes, the background among them, but the model's is "
        f"out: float32 [?, 9, {shown}]. {FORMATS_IN_WORDS}. {OTHER_FORM}"
    )


def test_there_must_be_the_background_that_is_declared() -> None:
    assert "at least 4 classes" in refused(SSD, format="ssd", background=3)


def test_of_several_outputs_the_declared_one_is_read() -> None:
    both = {**SSD, "features": (None, 7, 99)}
    task = fitted(both, format="ssd", output="detections")
    outputs = {"detections": [prior_row([0, 0, 1])], "features": np.zeros((7, 99))}
    assert only(task, outputs).class_ids.tolist() == [2]
    assert refused(both, format="ssd") == (
        "plumbline.toml: [model] output is not set, but it must name one output [batch, n, "
        "columns] of detections: float32 [?, ?, 15], features: float32 [?, 7, 99]. "
        f"{OTHER_FORM}"
    )


BOXES = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
"""As the Object Detection API writes them: top, left, bottom, right."""

FOUND = {
    "detection_boxes": BOXES,
    "detection_scores": [0.9, 0.5, 0.0],
    "detection_classes": [1, 2, 1],
    "num_detections": 3,
}


def test_nothing_needs_to_be_declared() -> None:
    assert seen(only(fitted(API, ("cat", "dog")), FOUND)) == [
        ("cat", 1, 0.9, [40, 10, 80, 30]),
        ("dog", 2, 0.5, [100, 50, 200, 100]),
    ]


def test_nothing_is_suppressed_twice() -> None:
    same = {**FOUND, "detection_boxes": [BOXES[0]] * 3, "detection_classes": [1, 1, 1]}
    assert len(only(fitted(API), same).scores) == 2
    assert len(only(fitted(API, nms="per-class"), same).scores) == 1


@pytest.mark.parametrize("placeholder", ["background", "???", "N/A", "__background__"])
def test_labels_may_begin_with_a_placeholder_for_0(placeholder: str) -> None:
    found = only(fitted(API, (placeholder, "cat", "dog")), FOUND)
    assert found.labels == ("cat", "dog")


@pytest.mark.parametrize(("first", "expected"), [(0, ("dog", "2")), (1, ("cat", "dog"))])
def test_the_first_class_can_be_declared(first: int, expected: tuple[str, ...]) -> None:
    assert only(fitted(API, ("cat", "dog"), first_class=first), FOUND).labels == expected


def test_a_class_without_a_label_is_its_number() -> None:
    assert only(fitted(API, ("cat",)), FOUND).labels == ("cat", "2")


def test_labels_with_numbers_keep_them() -> None:
    labels = NumberedLabels.of({1: "cat", 2: "dog", 90: "brush"})
    task = fitted(API, labels)
    assert only(task, FOUND).labels == ("cat", "dog")
    assert task.names[90] == "brush"
    from_zero = NumberedLabels.of({0: "cat", 1: "dog"})
    assert only(fitted(API, from_zero), FOUND).labels == ("dog", "2")
    assert "first_class = 1, but the labels' own numbers begin at 0" in (
        refused(API, from_zero, first_class=1)
    )


def test_labels_with_numbers_are_counted_too() -> None:
    more = {**API, "raw_detection_scores": (None, 3, 4), "raw_detection_boxes": (None, 3, 4)}
    assert fitted(more, NumberedLabels.of({1: "cat", 3: "bee"})).names == {1: "cat", 3: "bee"}
    assert "The labels are numbered from 1 to 2, but the model has 4 classes" in (
        refused(more, NumberedLabels.of({1: "cat", 2: "dog"}))
    )


def test_labels_with_numbers_leave_the_background_out() -> None:
    """Keras's class_indices count from 0; the background of an SSD is class 0."""
    found = fitted(SSD, NumberedLabels.of({0: "cat", 1: "dog"}), format="ssd")
    assert found.names == {1: "cat", 2: "dog"}
    named = fitted(SSD, NumberedLabels.of({1: "cat", 2: "dog"}), format="ssd")
    assert named.names == {1: "cat", 2: "dog"}
    whole = fitted(SSD, NumberedLabels.of({0: "background", 1: "cat", 2: "dog"}), format="ssd")
    assert whole.names[2] == "dog"


def test_classes_without_a_label_are_found() -> None:
    task = fitted(API, ("cat",))
    [gist] = [only(task, FOUND).array()]
    assert list(task.unlabelled(gist)) == [2]
    assert not fitted(API).unlabelled(gist)


@pytest.mark.parametrize("name", ["detection_multiclass_scores", "raw_detection_scores"])
def test_labels_are_counted_where_the_model_says_how_many_there_are(name: str) -> None:
    more = {**API, name: (None, 3, 4), "raw_detection_boxes": (None, 3, 4)}
    for labels in (("cat", "dog", "bee"), ("background", "cat", "dog", "bee")):
        assert fitted(more, labels).names[3] == "bee"
    assert "There are 2 labels, but the model has 4 classes, of which 0 is the background" in (
        refused(more, ("cat", "dog"))
    )
    assert "There are 4 labels" in refused(more, ("cat", "dog", "bee", "ant"))


@pytest.mark.parametrize("count", [(None,), (None, 1), (1,)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_boxes_beyond_the_count_are_none(count: tuple[int | None, ...], dtype: type) -> None:
    task = fitted({**API, "num_detections": count})
    outputs = {name: np.asarray(values, np.float32)[None] for name, values in FOUND.items()}
    outputs["num_detections"] = np.ones([1] * len(count), dtype)
    [found] = task.results(outputs, [WHOLE], {})
    assert found.array()[:, 0].tolist() == [1]


@pytest.mark.parametrize(("count", "many"), [(np.nan, 0), (-1, 0), (np.inf, 0), (1e30, 2), (0, 0)])
def test_counts_that_mean_nothing(count: float, many: int) -> None:
    assert len(only(fitted(API), {**FOUND, "num_detections": count}).scores) == many


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, -1, 1e30])
def test_classes_that_mean_nothing(number: float) -> None:
    found = only(fitted(API), {**FOUND, "detection_classes": [number, 2, 1]})
    assert found.class_ids.tolist() == [2]


def test_every_picture_of_the_batch_is_answered() -> None:
    batch = {name: np.stack([np.asarray(values, np.float32)] * 2) for name, values in FOUND.items()}
    batch["detection_scores"][1] = [0.1, 0.8, 0]
    first, second = fitted(API).results(batch, [WHOLE, WHOLE], {})
    assert first.array()[:, 0].tolist() == [1, 2]
    assert second.array()[:, 0].tolist() == [2]


def test_another_order_can_be_declared() -> None:
    found = only(fitted(API, box_format="rel_xyxy"), FOUND)
    assert seen(found)[0][3] == [20, 20, 60, 40]


def test_a_declared_background_is_left_out() -> None:
    assert only(fitted(API, background=1), FOUND).class_ids.tolist() == [2]


KERAS_FOUND = {
    "boxes": [[20, 10, 60, 40], [0, 0, 100, 50], [-1, -1, -1, -1]],
    "confidence": [0.9, 0.8, -1],
    "labels": [1, 0, -1],
    "num_detections": 2,
}
"""As KerasCV and KerasHub give them, padded by -1."""


def test_padding_is_left_out() -> None:
    found = only(fitted(KERAS, ("cat", "dog"), box_format="xyxy"), KERAS_FOUND)
    assert seen(found) == [
        ("dog", 1, 0.9, [20, 10, 60, 40]),
        ("cat", 0, 0.8, [0, 0, 100, 50]),
    ]


def test_padding_is_left_out_where_nobody_counts() -> None:
    shapes = {name: shape for name, shape in KERAS.items() if name != "num_detections"}
    outputs = {name: KERAS_FOUND[name] for name in shapes}
    found = only(fitted(shapes, box_format="xywh", score_threshold=0), outputs)
    assert [each[3] for each in seen(found)] == [[20, 10, 80, 50], [0, 0, 100, 50]]


def test_how_boxes_are_written_must_be_declared() -> None:
    assert refused(KERAS) == (
        "plumbline.toml: [detection] box_format is not set, and nothing says how the model "
        "writes its boxes (boxes: float32 [?, 3, 4]). It must be one of 'xyxy', 'yxyx', "
        "'xywh', 'center_xywh', 'center_yxhw', 'rel_xyxy', 'rel_yxyx', 'rel_xywh', "
        "'rel_center_xywh', 'rel_center_yxhw': rel_ for numbers from 0 to 1, else pixels of "
        'the model\'s input. With task = "raw" the outputs are answered as they are.'
    )


RAW_FOUND = {
    "boxes": [[0, 0, 100, 50], [0, 0, 100, 50], [100, 50, 200, 100]],
    "scores": [[0.9, 0.1], [0.6, 0.7], [0.3, 0.1]],
}
"""A score for every class, and nothing suppressed."""


def test_each_class_is_suppressed_by_itself() -> None:
    found = only(fitted(RAW, ("cat", "dog"), box_format="xyxy"), RAW_FOUND)
    assert [each[:3] for each in seen(found)] == [
        ("cat", 0, 0.9),
        ("dog", 1, 0.7),
        ("cat", 0, 0.3),
    ]


def test_or_each_box_is_of_its_best_class() -> None:
    found = only(fitted(RAW, box_format="xyxy", nms="agnostic"), RAW_FOUND)
    assert [each[1:3] for each in seen(found)] == [(0, 0.9), (0, 0.3)]


@pytest.mark.parametrize("first", [None, 0])
def test_labels_must_be_as_many_as_columns_of_scores(first: int | None) -> None:
    message = refused(RAW, ("a", "b", "c"), box_format="xyxy", first_class=first)
    assert message.startswith(
        "There are 3 labels, but the model has 2 classes (boxes: float32 [?, 3, 4], scores: "
        "float32 [?, 3, 2]). Give one label for each class"
    )


def test_a_column_may_be_the_background() -> None:
    found = only(fitted(RAW, ("dog",), box_format="xyxy", background=0), RAW_FOUND)
    assert [each[:3] for each in seen(found)] == [("dog", 1, 0.7)]


def test_one_score_for_each_box_is_of_the_only_class() -> None:
    shapes = {"boxes": (None, 3, 4), "scores": (None, 3)}
    outputs = {**RAW_FOUND, "scores": [0.9, 0.7, 0.6]}
    found = only(fitted(shapes, ("digit",), box_format="xyxy"), outputs)
    assert [each[:3] for each in seen(found)] == [("digit", 0, 0.9), ("digit", 0, 0.6)]


def test_logits_of_boxes_become_scores() -> None:
    outputs = {**RAW_FOUND, "scores": [[0, -9], [-9, -9], [-9, 2]]}
    for activation, expected in (("sigmoid", [0.881, 0.5]), ("softmax", [1.0, 1.0, 0.5])):
        task = fitted(RAW, box_format="xyxy", activation=activation)
        assert [each[2] for each in seen(only(task, outputs))] == expected


def test_softmax_needs_a_score_for_every_class() -> None:
    assert refused(KERAS, box_format="xyxy", activation="softmax") == (
        '[detection] activation = "softmax" needs a score for each class, but the model gives '
        'one for each box (confidence: float32 [?, 3]). Take "sigmoid", or "none" if the model has '
        "it inside."
    )


def test_outputs_of_any_name_can_be_declared() -> None:
    shapes = {"a": (None, 3, 2), "b": (None, 3, 4)}
    task = fitted(shapes, box_format="xyxy", boxes="b", scores="a")
    outputs = {"a": RAW_FOUND["scores"], "b": RAW_FOUND["boxes"]}
    assert only(task, outputs).class_ids.tolist() == [0, 1, 0]


def test_a_name_that_means_something_else_can_be_declared() -> None:
    """KerasCV's raw detectors call the scores of all classes "classes"."""
    shapes = {"boxes": (None, 3, 4), "classes": (None, 3, 2)}
    task = fitted(shapes, scores="classes", box_format="xyxy")
    outputs = {"boxes": RAW_FOUND["boxes"], "classes": RAW_FOUND["scores"]}
    assert only(task, outputs).class_ids.tolist() == [0, 1, 0]


def test_a_declared_output_must_be_there() -> None:
    assert refused(RAW, box_format="xyxy", scores="score") == (
        "plumbline.toml: [detection] scores = 'score', but it must be one of boxes, scores."
    )


def test_boxes_need_scores() -> None:
    assert refused({"boxes": (None, 3, 4)}, format="boxes") == (
        '[detection] format = "boxes" needs outputs with boxes and their scores. Say in '
        "[detection] boxes and scores which of these they are: boxes: float32 [?, 3, 4]. "
        f"{OTHER_FORM}"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"boxes": (None, 3, 5)},
        {"boxes": (3, 4)},
        {"boxes": (None, 4, 4)},
        {"scores": (None,)},
        {"classes": (None, 3)},
        {"num_detections": ()},
    ],
    ids=str,
)
def test_outputs_must_go_together(wrong: Shapes) -> None:
    shapes = {**RAW, **wrong}
    shown = ", ".join(str(output) for output in signature(shapes).outputs)
    assert refused(shapes, box_format="xyxy") == (
        '[detection] format = "boxes" needs boxes [batch, n, 4] with scores [batch, n] and classes '
        "[batch, n], or with scores [batch, n, classes] alone, and, if they are counted, a count "
        f"[batch], but the model's are {shown}. [detection] boxes, scores, classes and count name "
        f"others. {OTHER_FORM}"
    )


ROWS_FOUND = [[1, 0.6, 0.1, 0.2, 0.3, 0.4], [-1, -1, -1, -1, -1, -1], [0, 0.9, 0, 0, 1, 1]]


def test_rows_are_answered_the_surest_first_and_without_padding() -> None:
    assert seen(only(fitted(ROWS, ("cat", "dog")), {"rows": ROWS_FOUND})) == [
        ("cat", 0, 0.9, [0, 0, 200, 100]),
        ("dog", 1, 0.6, [20, 20, 60, 40]),
    ]


def test_rows_come_back_as_they_were() -> None:
    found = only(fitted(ROWS), {"rows": ROWS_FOUND}).builtin()["prediction"]
    expected = np.array([ROWS_FOUND[2], ROWS_FOUND[0]], np.float32)
    np.testing.assert_array_equal(found, expected)


def test_rows_of_nothing() -> None:
    found = only(fitted(ROWS), {"rows": [ROWS_FOUND[1]] * 3})
    assert found.array().shape == (0, 6)
    assert seen(found) == []


def test_rows_have_six_columns() -> None:
    assert refused(SSD, format="builtin") == (
        '[detection] format = "builtin" needs an output [batch, n, 6] of class, score, xmin, ymin, '
        "xmax, ymax, but the model's is detections: float32 [?, ?, 15]. "
        f"{FORMATS_IN_WORDS}. {OTHER_FORM}"
    )


@pytest.mark.parametrize(
    ("shapes", "labels"),
    [
        (SSD, None),
        (SSD, ("a", "b", "c", "d")),
        ({"out": (None, 8400, 85)}, None),
        ({"logits": (None, 10)}, None),
        ({"a": (None, 9, 6), "b": (None, 9, 6)}, None),
    ],
    ids=str,
)
def test_what_could_mean_several_things_must_be_declared(shapes: Shapes, labels: Labels) -> None:
    shown = ", ".join(str(output) for output in signature(shapes).outputs)
    assert refused(shapes, labels) == (
        f"plumbline.toml: [detection] format is not set, and the model's outputs ({shown}) could "
        'mean several things, or nothing. "ssd" reads one output [batch, priors, 4 + classes + 8] '
        'of offsets, class scores, prior and variances; "boxes" reads outputs of boxes '
        '[batch, n, 4] and scores; "builtin" reads one output [batch, n, 6] of class, score, xmin, '
        'ymin, xmax, ymax; "yolo" reads one output [batch, 4 + classes, n] of boxes and class '
        'scores, as YOLOv8 and later are exported, and "yolov5" one [batch, n, 5 + classes]. '
        "A wrapper of a few lines gives them that form, and is packed instead of the model "
        '(docs/archive.md, Other outputs). With task = "raw" the outputs are answered as they are.'
    )


def test_every_format_that_can_be_declared_is_read_and_said() -> None:
    assert set(READERS) == set(DETECTION_FORMATS)
    assert set(re.findall(r'"(\w+)"', FORMATS_IN_WORDS)) == set(DETECTION_FORMATS)


def test_texts_are_no_detections() -> None:
    words = Signature((IMAGE,), (TensorSpec("rows", (None, 3, 6), "string"),))
    assert not DetectionTask.resembles(words)
    with pytest.raises(SpecError, match="format is not set"):
        DetectionTask(ModelSpec(), None).fit(words)


def test_pictures_need_a_model_with_one_input() -> None:
    two = Signature((IMAGE, IMAGE), signature(API).outputs)
    with pytest.raises(SpecError, match="needs a model with one input, but this one has 2"):
        DetectionTask(ModelSpec(), None).fit(two)


CLASSIC = {"boxes": (None, 3, 4), "confidence": (None, 3), "classes": (None, 3)}


@pytest.mark.parametrize(
    ("shapes", "suits", "resembles"),
    [
        (API, True, True),
        (KERAS, False, True),  # nothing says how the boxes are written
        (CLASSIC, False, True),
        (RAW, False, True),
        (SSD, False, True),
        (ROWS, False, True),
        ({"out": (None, 100, 5)}, False, False),
        ({"logits": (None, 10)}, False, False),
        ({"mask": (None, 128, 128, 3)}, False, False),
    ],
    ids=str,
)
def test_what_looks_like_a_detector(shapes: Shapes, suits: bool, resembles: bool) -> None:
    assert DetectionTask.suits(signature(shapes)) is suits
    assert DetectionTask.resembles(signature(shapes)) is resembles


def test_golden_pictures_hold_the_outputs_or_the_rows() -> None:
    task = fitted({**API, "features": (None, 2)})
    outputs = {name: np.asarray(values, np.float32)[None] for name, values in FOUND.items()}
    outputs["features"] = np.zeros((1, 2), np.float32)
    read, everything, rows = task.readings(outputs, WHOLE)
    assert read == task.values(outputs)
    assert read.keys() == API.keys()
    assert everything.keys() == outputs.keys()
    np.testing.assert_allclose(
        rows["prediction"],
        [[1, 0.9, 0.2, 0.1, 0.4, 0.3], [2, 0.5, 0.5, 0.5, 1, 1]],
        rtol=1e-6,
    )


MARKED = (40, 50, 90, 70)
"""Left, top, right and bottom of what is to be found in a picture of 160 by 120."""


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("box_format", ["xyxy", "rel_xyxy"])
def test_boxes_lie_on_the_picture_that_was_sent(
    fit: str, orientation: int, box_format: str
) -> None:
    """A detector that finds white on black, whatever was done to the picture before."""
    left, top, right, bottom = MARKED
    stored = np.zeros((120, 160, 1), np.uint8)
    stored[top:bottom, left:right] = 255
    size = (400, 320)
    filled, geometry = place(
        upright(stored, orientation), size, FITS[fit], FILTERS["opencv-nearest"], orientation
    )
    white = np.argwhere(np.asarray(filled)[..., 0] == 255)
    box = np.concatenate([white.min(axis=0)[::-1], white.max(axis=0)[::-1] + 1])
    if box_format == "rel_xyxy":
        box = box / [320, 400, 320, 400]
    outputs = {"boxes": [box] * 3, "scores": [[0.9, 0]] * 3}
    found = only(fitted(RAW, box_format=box_format), outputs, geometry)
    np.testing.assert_allclose(found.sent_boxes, [MARKED], atol=0.5)


def test_boxes_outside_the_picture_are_none_and_take_no_ones_place() -> None:
    """A picture of 100 by 200 in the middle of 200 by 200."""
    geometry = Geometry((200, 100), Rect(0, 0, 100, 200), Rect(50, 0, 100, 200), (200, 200))
    boxes = [[0, 0, 40, 40], [160, 0, 200, 200], [40, 0, 60, 40]]
    outputs = {"boxes": boxes, "scores": [[0.9, 0], [0.8, 0], [0.7, 0]]}
    task = fitted(RAW, box_format="xyxy", max_detections=1)
    assert seen(only(task, outputs, geometry)) == [("0", 0, 0.7, [0, 0, 10, 40])]


def test_boxes_in_what_was_cropped_away_are_in_the_picture() -> None:
    """The middle 100 by 100 of 200 by 100, and a box that reaches beyond it."""
    geometry = Geometry((100, 200), Rect(50, 0, 100, 100), Rect(0, 0, 100, 100), (100, 100))
    outputs = {"boxes": [[-40, 10, -20, 30]] * 3, "scores": [[0.9, 0]] * 3}
    assert seen(only(fitted(RAW, box_format="xyxy"), outputs, geometry))[0][3] == [10, 10, 30, 30]


def test_boxes_without_area_stay_what_the_model_says() -> None:
    """The usual decoder gives those that it clipped to nothing, too."""
    found = only(fitted(ROWS), {"rows": [[1, 0.9, 1, 0.2, 1, 0.4]] * 3})
    assert found.builtin()["prediction"].shape == (3, 6)


YOLO = {"output0": (1, 4 + 3, 400)}
FLAT = {"output0": (1, 400, 5 + 3)}


def test_a_yolos_columns_are_boxes_of_every_class() -> None:
    columns = np.zeros((7, 400), np.float32)
    columns[:, 7] = [0.5, 0.5, 0.2, 0.4, 0.1, 0.9, 0.3]
    columns[:, 9] = [0.51, 0.5, 0.2, 0.4, 0.05, 0.8, 0.1]
    task = fitted(YOLO, ("cat", "dog", "bee"), format="yolo")
    height, width = WHOLE.upright
    box = [0.4 * width, 0.3 * height, 0.6 * width, 0.7 * height]
    assert seen(only(task, {"output0": columns})) == [
        ("dog", 1, 0.9, rounded(box)),
        ("bee", 2, 0.3, rounded(box)),
    ]


def test_a_yolo_with_objectness_multiplies_it_in() -> None:
    rows = np.zeros((400, 8), np.float32)
    rows[3] = [0.5, 0.5, 0.2, 0.4, 0.5, 0.1, 0.9, 0.3]
    found = only(fitted(FLAT, format="yolov5"), {"output0": rows})
    assert (found.labels, found.scores.tolist()) == (("1",), [pytest.approx(0.45)])


@pytest.mark.parametrize(("shapes", "beside"), [(YOLO, 4), (FLAT, 5)])
def test_a_yolo_is_told_by_as_many_values_as_labels(shapes: Shapes, beside: int) -> None:
    values = np.zeros((400, beside + 3), np.float32)
    values[7] = [0.5, 0.5, 0.2, 0.4, *[1] * (beside - 4), 0.1, 0.9, 0.1]
    task = fitted(shapes, ("cat", "dog", "bee"))
    outputs = {"output0": values.T if beside == 4 else values}
    assert only(task, outputs).labels == ("dog",)
    assert "format is not set" in refused(shapes)
    assert "format is not set" in refused(shapes, ("cat", "dog"))


def test_a_yolo_in_pixels_is_declared() -> None:
    columns = np.zeros((7, 400), np.float32)
    columns[:, 7] = [50, 40, 20, 10, 0, 1, 0]
    found = only(fitted(YOLO, format="yolo", box_format="center_xywh"), {"output0": columns})
    share = np.array(WHOLE.upright[::-1] * 2) / np.array(WHOLE.canvas[::-1] * 2)
    expected = np.array([40, 35, 60, 45]) * share
    np.testing.assert_allclose(found.pixel_boxes()[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("shapes", "declared"),
    [
        ({"o": (1, 4, 400)}, {"format": "yolo"}),
        ({"o": (1, 400, 5)}, {"format": "yolov5"}),
        (YOLO, {"format": "yolo", "activation": "softmax"}),
    ],
)
def test_what_is_no_yolo_head_is_refused(shapes: Shapes, declared: dict[str, str]) -> None:
    assert "needs at least one class, scored by itself" in refused(shapes, **declared)
    assert "There are 2 labels" in refused(YOLO, ("a", "b"), format="yolo")


def test_offsets_without_anchors_are_told_of_with_what_decodes_them() -> None:
    shapes: Shapes = {"bbox_regression": (None, 900, 4), "cls_logits": (None, 900, 3)}
    said = refused(shapes)
    assert "offsets from anchors that are not in the model" in said
    assert "plumbline pack detector.keras --custom-objects objects.py" in said
    assert "model.decode_predictions(model(images, training=False), images)" in said
