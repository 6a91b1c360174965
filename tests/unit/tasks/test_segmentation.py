"""Scores of each pixel → masks, and which outputs are taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.errors import SpecError
from plumbline.results import palette
from plumbline.results.task_results import Segments
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelChoice, ModelSpec, Segmentation
from plumbline.tasks.segmentation import SegmentationTask
from plumbline.vision import masks
from plumbline.vision.geometry import Geometry

IMAGE = TensorSpec("image", (None, 4, 4, 3), "float32")
LOGITS = TensorSpec("logits", (None, 4, 4, 3), "float32")
WORDS = TensorSpec("words", (None,), "string")
LABELS = ("pet", "background", "outline")
COLORS = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
GRID = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [2, 2, 2, 2], [1, 1, 0, 0]], np.uint8)


def output(shape: tuple[int | None, ...], dtype: str = "float32", name: str = "mask") -> TensorSpec:
    return TensorSpec(name, (None, *shape), dtype)


def fitted(
    *outputs: TensorSpec,
    labels: tuple[str, ...] | None = None,
    wanted: str | None = None,
    **declared: object,
) -> SegmentationTask:
    """A task for a model of these outputs."""
    spec = ModelSpec(
        task="segmentation",
        model=ModelChoice(output=wanted),
        segmentation=Segmentation(**declared),  # type: ignore[arg-type]
    )
    task = SegmentationTask(spec, labels)
    task.fit(Signature((IMAGE,), outputs))
    return task


def answered(task: SegmentationTask, values: np.ndarray) -> Segments:
    """The answer for one picture of the model's own size."""
    [found] = task.results({task.output: values[None]}, [Geometry.whole((4, 4))], {})
    assert isinstance(found, Segments)
    return found


def logits(classes: np.ndarray = GRID) -> np.ndarray:
    """Scores `[4, 4, 3]` that are highest at these classes."""
    noise = np.random.default_rng(5).random((*classes.shape, 3), np.float32)
    return noise + 4 * np.eye(3, dtype=np.float32)[classes]


def test_the_mask_has_the_best_class_of_each_pixel_with_its_name_and_colour() -> None:
    found = answered(fitted(LOGITS, labels=LABELS, palette=COLORS), logits())
    np.testing.assert_array_equal(found.mask, GRID)
    assert (found.names, found.palette) == (LABELS, COLORS)


def test_classes_without_names_and_colours_get_some() -> None:
    found = answered(fitted(LOGITS), logits())
    assert (found.names, found.palette) == (("0", "1", "2"), palette.colors(3))


def test_every_picture_has_a_mask_of_its_own_size() -> None:
    sizes = [(7, 9), (30, 4)]
    found = fitted(LOGITS).results(
        {"logits": np.stack([logits(), logits(GRID.T)])},
        [Geometry.whole(size) for size in sizes],
        {},
    )
    assert [result.mask.shape for result in found if isinstance(result, Segments)] == sizes


def test_scores_are_resized_as_probabilities() -> None:
    """Logits 9 ahead and 1 behind are even at 0.9 of the way, their probabilities at 0.684."""
    pair = np.array([[[0.0, 9.0], [1.0, 0.0]]], np.float32)
    wide = Geometry.whole((1, 100))
    masks_of = [
        fitted(output((1, 2, 2)), activation=activation).results({"mask": pair[None]}, [wide], {})
        for activation in ("none", "softmax")
    ]
    ones = [int((found.mask == 1).sum()) for [found] in masks_of if isinstance(found, Segments)]
    assert ones == [70, 59]


def test_at_the_models_own_grid_softmax_changes_no_class() -> None:
    plain, soft = (
        answered(fitted(LOGITS, activation=each), logits()) for each in ("none", "softmax")
    )
    np.testing.assert_array_equal(plain.mask, soft.mask)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1)], ids=str)
@pytest.mark.parametrize(("threshold", "ones"), [(0.5, 8), (0.25, 12), (1.0, 1), (0.0, 16)])
def test_one_channel_is_the_probability_of_class_1(
    shape: tuple[int, ...], threshold: float, ones: int
) -> None:
    ramp = np.array([*np.arange(15) / 16, 1], np.float32).reshape(shape)
    found = answered(fitted(output(shape), threshold=threshold, labels=("sky", "road")), ramp)
    assert int((found.mask == 1).sum()) == ones
    assert found.names == ("sky", "road")


def test_one_channel_of_logits_takes_a_sigmoid() -> None:
    ramp = np.linspace(-7.5, 7.5, 16, dtype=np.float32).reshape(4, 4, 1)
    found = answered(fitted(output((4, 4, 1)), activation="sigmoid"), ramp)
    np.testing.assert_array_equal(found.mask, ramp[..., 0] >= 0)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32"])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1)], ids=str)
def test_whole_numbers_are_the_classes_themselves(dtype: str, shape: tuple[int, ...]) -> None:
    task = fitted(output(shape, dtype), labels=LABELS)
    found = answered(task, GRID.astype(dtype).reshape(shape))
    np.testing.assert_array_equal(found.mask, GRID)
    assert found.names == LABELS


def test_classes_are_resized_as_classes() -> None:
    """Between 0 and 2 there is no 1."""
    task = fitted(output((1, 2), "int64"), labels=LABELS)
    [found] = task.results({"mask": np.array([[[0, 2]]])}, [Geometry.whole((1, 10))], {})
    assert isinstance(found, Segments)
    np.testing.assert_array_equal(found.mask, [[0] * 5 + [2] * 5])


def test_classes_that_nobody_knows_are_unseen() -> None:
    numbers = GRID.astype(np.int64)
    numbers[0, :3] = [-1, 3, 300]
    found = answered(fitted(output((4, 4), "int64"), labels=LABELS), numbers)
    assert found.mask[0].tolist() == [masks.UNSEEN] * 3 + [1]


def test_true_and_false_are_two_classes() -> None:
    found = answered(fitted(output((4, 4), "bool"), labels=("sky", "road")), GRID > 0)
    np.testing.assert_array_equal(found.mask, GRID > 0)


def test_classes_without_labels_are_as_many_as_a_mask_holds() -> None:
    found = answered(fitted(output((4, 4), "int64")), GRID.astype(np.int64))
    assert len(found.names) == len(found.palette) == masks.UNSEEN


def test_golden_pictures_are_compared_by_the_activated_output() -> None:
    task = fitted(LOGITS, activation="softmax")
    values = task.values({"logits": logits()[None]})["logits"]
    powers = np.exp(logits().astype(np.float64))
    np.testing.assert_allclose(values[0], powers / powers.sum(axis=-1, keepdims=True), atol=1e-6)
    assert values.dtype == np.float32


def test_a_users_own_code_may_give_scores_or_the_mask_with_a_last_axis_or_without() -> None:
    task = fitted(LOGITS, activation="softmax")
    outputs = {"logits": logits()[None]}
    scores, flat, deep, raw = task.readings(outputs, Geometry.whole((400, 400)))
    np.testing.assert_array_equal(scores["logits"], task.values(outputs)["logits"])
    np.testing.assert_array_equal(flat["mask"], GRID[None])
    np.testing.assert_array_equal(deep["mask"], GRID[None, ..., None])
    np.testing.assert_array_equal(raw["logits"], outputs["logits"])


def test_of_several_outputs_the_declared_one_is_taken() -> None:
    scores = output((4, 4, 3), name="scores")
    assert fitted(LOGITS, scores, WORDS, wanted="scores").output == "scores"
    with pytest.raises(SpecError, match="not set, but it must be one of logits, scores"):
        fitted(LOGITS, scores, WORDS)


def test_a_grid_of_any_size_is_taken() -> None:
    found = answered(fitted(output((None, None, 3))), logits())
    np.testing.assert_array_equal(found.mask, GRID)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((10,), "the model's is mask: float32 [?, 10]"),
        ((4, 4, 256), "of at most 255 classes, or [batch, height, width], but the model's is"),
        ((4, 4, 4, 3), "needs an output [batch, height, width, classes]"),
    ],
    ids=str,
)
def test_an_output_that_is_no_grid_is_refused(shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        fitted(output(shape))
    assert sentence in caught.value.message


def test_255_classes_fit_a_mask() -> None:
    assert fitted(output((4, 4, 255))).classes == 255


@pytest.mark.parametrize(
    ("found", "labels"),
    [(LOGITS, ("sky", "road")), (output((4, 4, 1)), LABELS), (output((4, 4), "bool"), LABELS)],
    ids=["three classes", "two, by one channel", "true and false"],
)
def test_labels_must_be_as_many_as_classes(found: TensorSpec, labels: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=rf"There are {len(labels)} labels, but the model has"):
        fitted(found, labels=labels)


def test_colours_must_be_as_many_as_classes() -> None:
    with pytest.raises(SpecError) as caught:
        fitted(LOGITS, palette=COLORS[:2])
    assert caught.value.message == (
        "plumbline.toml: segmentation.palette has 2 colours, but there are 3 classes. "
        "Give one colour for each class, in the order of training."
    )


@pytest.mark.parametrize(
    ("found", "activation", "sentence"),
    [
        (output((4, 4, 1)), "softmax", "makes every score of one channel 1"),
        (output((4, 4)), "softmax", "makes every score of one channel 1"),
        (output((4, 4), "int64"), "softmax", "holds the classes themselves"),
        (output((4, 4), "int64"), "sigmoid", "holds the classes themselves"),
    ],
)
def test_an_activation_that_makes_no_sense_is_refused(
    found: TensorSpec, activation: str, sentence: str
) -> None:
    with pytest.raises(SpecError, match=sentence):
        fitted(found, activation=activation)


def test_of_classes_that_the_output_does_not_count_the_labels_tell_how_many() -> None:
    unknown = output((None, None, None))
    with pytest.raises(SpecError, match="does not say how many classes it has"):
        fitted(unknown)
    task = fitted(unknown, labels=LABELS)
    np.testing.assert_array_equal(answered(task, logits()).mask, GRID)
    with pytest.raises(SpecError, match="scores of 5 classes, but there are 3 labels"):
        answered(task, np.zeros((4, 4, 5), np.float32))


def test_pictures_need_a_model_with_one_input() -> None:
    task = SegmentationTask(ModelSpec(task="segmentation"), None)
    with pytest.raises(SpecError, match="needs a model with one input"):
        task.fit(Signature((IMAGE, IMAGE), (LOGITS,)))


@pytest.mark.parametrize(
    ("found", "alike"),
    [
        (LOGITS, True),
        (output((4, 4), "int64"), True),
        (output((4, 4), "bool"), True),
        (output((None, None, None)), True),
        (output((10,)), False),
        (output((4, 4, 300)), False),
        (output((4, 4), "string"), False),
    ],
)
def test_a_grid_of_scores_or_classes_resembles_a_segmentation(
    found: TensorSpec, alike: bool
) -> None:
    assert SegmentationTask.resembles(Signature((IMAGE,), (WORDS, found))) is alike


def test_no_output_says_by_itself_that_it_is_a_mask() -> None:
    assert not SegmentationTask.suits(Signature((IMAGE,), (LOGITS,)))
