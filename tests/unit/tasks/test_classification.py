"""Scores → the best labels."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.errors import SpecError
from plumbline.results.task_results import Classes
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.labels import NumberedLabels
from plumbline.spec.model_spec import Classification, ModelChoice, ModelSpec
from plumbline.tasks.classification import ClassificationTask
from plumbline.vision.geometry import Geometry

IMAGE = TensorSpec("image", (None, 8, 8, 3), "float32")
SCORES = TensorSpec("scores", (None, 3), "float32")
OTHER = TensorSpec("embedding", (None, 8), "float32")


def fitted(
    labels: tuple[str, ...] | None = None,
    activation: str = "none",
    top_k: int = 5,
    threshold: float | tuple[float, ...] | None = None,
    classes: int | None = 3,
) -> ClassificationTask:
    task = ClassificationTask(
        ModelSpec(classification=Classification(activation, top_k, threshold)), labels
    )
    task.fit(Signature((IMAGE,), (TensorSpec("scores", (None, classes), "float32"),)))
    return task


def answered(
    task: ClassificationTask, scores: object, said: object = None, **options: object
) -> Classes:
    """The answer for one picture with these scores."""
    outputs = {"scores": np.asarray([scores], getattr(scores, "dtype", np.float32))}
    words = {} if said is None else {"words": np.array([said], object)}
    [found] = task.results({**outputs, **words}, [Geometry.whole((8, 8))], options)
    assert isinstance(found, Classes)
    return found


def test_the_best_come_first_with_their_labels() -> None:
    found = answered(fitted(("cat", "dog", "bee")), [0.25, 0.125, 0.5])
    assert found.typed() == {
        "classes": [
            {"label": "bee", "class_id": 2, "score": 0.5},
            {"label": "cat", "class_id": 0, "score": 0.25},
            {"label": "dog", "class_id": 1, "score": 0.125},
        ]
    }


@pytest.mark.parametrize(
    ("numbered", "first"),
    [
        ({0: "cat", 1: "dog", 2: "bee"}, "bee"),
        ({1: "cat", 2: "dog", 3: "bee"}, "bee"),
        ({1: "cat", 2: "dog"}, "dog"),
        ({0: "cat", 2: "bee"}, "bee"),
    ],
)
def test_labels_with_numbers_are_of_their_classes(numbered: dict[int, str], first: str) -> None:
    labels = NumberedLabels.of(numbered)
    assert answered(fitted(labels), [0.25, 0.125, 0.5]).labels[0] == first
    if min(numbered) == 0:
        assert answered(fitted(labels, classes=None), [0.25, 0.125, 0.5]).labels[0] == first


@pytest.mark.parametrize("numbered", [{0: "cat", 1: "dog"}, {1: "a", 2: "b", 3: "c", 4: "d"}])
def test_labels_with_numbers_must_reach_the_last_class(numbered: dict[int, str]) -> None:
    with pytest.raises(SpecError, match=r"labels, numbered from . to ., but the model has 3"):
        fitted(NumberedLabels.of(numbered))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float16, np.float64])
def test_scores_of_any_dtype_are_sorted_by_value(dtype: type) -> None:
    assert answered(fitted(), np.array([0, 10, 100], dtype)).class_ids == (2, 1, 0)


def test_equal_scores_come_in_the_order_of_their_classes() -> None:
    assert answered(fitted(), [0.5, 0.7, 0.5]).class_ids == (1, 0, 2)


def test_scores_that_are_no_numbers_come_last() -> None:
    assert answered(fitted(), [np.nan, 0.7, np.inf]).class_ids == (2, 1, 0)
    assert answered(fitted(threshold=0.5), [np.nan, 0.7, 0.1]).class_ids == (1,)


def test_without_labels_a_class_is_its_number() -> None:
    assert answered(fitted(), [0, 0, 1]).labels == ("2", "0", "1")


def test_a_class_beyond_the_labels_is_its_number() -> None:
    assert answered(fitted(("cat", "dog"), classes=None), [1, 2, 3]).labels == ("2", "dog", "cat")


@pytest.mark.parametrize(("declared", "asked", "count"), [(2, None, 2), (2, 1, 1), (1, 99, 3)])
def test_the_request_overrules_the_declared_top_k(
    declared: int, asked: int | None, count: int
) -> None:
    options = {} if asked is None else {"top_k": asked}
    assert len(answered(fitted(top_k=declared), [1, 0, 0], **options).class_ids) == count


def test_all_scores_are_kept_whatever_is_answered() -> None:
    found = answered(fitted(top_k=1, threshold=0.9), [0.5, 0.2, 0.3])
    np.testing.assert_array_equal(found.scores, np.array([0.5, 0.2, 0.3], np.float32))
    assert found.class_ids == ()


# -- several labels at once -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "top_k", "asked", "expected"),
    [
        (0.6, 5, None, (2, 0)),
        (0.6, 1, None, (2,)),
        (0.9, 5, None, (2,)),
        (1.0, 5, None, ()),
        ((0.7, 0.2, 0.95), 5, None, (0, 1)),
        ((0.7, 0.2, 0.95), 5, 0.9, (2,)),
        (0.9, 5, 0.0, (2, 0, 1)),
        (None, 5, 0.7, (2, 0)),
    ],
)
def test_every_class_that_reaches_its_threshold_is_answered(
    threshold: float | tuple[float, ...] | None,
    top_k: int,
    asked: float | None,
    expected: tuple[int, ...],
) -> None:
    """0.7 and 0.9 are reached by what float32 makes of them."""
    options = {} if asked is None else {"score_threshold": asked}
    task = fitted(top_k=top_k, threshold=threshold, activation="none")
    assert answered(task, [0.7, 0.2, 0.9], **options).class_ids == expected


def test_a_threshold_is_of_the_activated_score() -> None:
    task = fitted(("sun", "rain", "snow"), activation="sigmoid", threshold=0.5)
    assert answered(task, [1.5, -0.1, 0.0]).labels == ("sun", "snow")


@pytest.mark.parametrize("threshold", [(0.5, 0.5), (0.5, 0.5, 0.5, 0.5)])
def test_thresholds_must_be_as_many_as_scores(threshold: tuple[float, ...]) -> None:
    with pytest.raises(SpecError) as caught:
        fitted(threshold=threshold)
    assert caught.value.message == (
        f"plumbline.toml: classification.threshold has {len(threshold)} numbers, but the model "
        "gives 3 scores (scores: float32 [?, 3]). Give one number for each, or one for all."
    )


# -- two classes by one output --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "threshold", "asked", "labels"),
    [
        (0.75, None, None, ("dog", "cat")),
        (0.25, None, None, ("cat", "dog")),
        (0.25, 0.2, None, ("dog", "cat")),
        (0.75, 0.8, None, ("cat", "dog")),
        (0.75, (0.8,), None, ("cat", "dog")),
        (0.75, 0.8, 0.7, ("dog", "cat")),
        (0.9, 0.9, None, ("dog", "cat")),
        (np.nan, 0.5, None, ("cat", "dog")),
    ],
)
def test_one_output_is_the_probability_of_class_1(
    score: float,
    threshold: float | tuple[float, ...] | None,
    asked: float | None,
    labels: tuple[str, str],
) -> None:
    options = {} if asked is None else {"score_threshold": asked}
    found = answered(fitted(("cat", "dog"), threshold=threshold, classes=1), [score], **options)
    assert found.labels == labels
    np.testing.assert_allclose(found.scores, [1 - score, score], atol=1e-7)


def test_one_output_of_logits_takes_a_sigmoid_and_golden_pictures_keep_its_shape() -> None:
    task = fitted(activation="sigmoid", classes=1)
    scores = np.array([[0.0], [2.0]], np.float32)
    np.testing.assert_allclose(
        task.values({"scores": scores})["scores"], [[0.5], [0.8807970]], atol=1e-7
    )
    np.testing.assert_allclose(answered(task, [2.0]).scores, [0.1192029, 0.8807970], atol=1e-7)


def test_only_the_decision_is_answered_with_a_top_k_of_one() -> None:
    task = fitted(("cat", "dog"), top_k=1, threshold=0.3, classes=1)
    assert answered(task, [0.4]).labels == ("dog",)


def test_a_softmax_of_one_score_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        fitted(activation="softmax", classes=1)
    assert caught.value.message == (
        "plumbline.toml: classification.activation = 'softmax', which makes a single score always "
        "1 (scores: float32 [?, 1]). Take 'sigmoid', or 'none' if the model has it inside."
    )


@pytest.mark.parametrize("labels", [("dog",), ("cat", "dog", "bee")])
def test_one_output_has_two_labels(labels: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=f"There are {len(labels)} labels, but the model has 2"):
        fitted(labels, classes=1)


# -- activations, batches, and which outputs are taken -------------------------------------------


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("none", [0.0, 1.0, -1.0]),
        ("softmax", [0.24472848, 0.66524094, 0.09003057]),
        ("sigmoid", [0.5, 0.7310586, 0.2689414]),
    ],
)
def test_the_declared_activation_is_applied(activation: str, expected: list[float]) -> None:
    values = fitted(activation=activation).values({"scores": np.array([[0, 1, -1]], np.float32)})
    np.testing.assert_allclose(values["scores"], [expected], atol=1e-7)


def test_every_picture_of_the_batch_is_answered() -> None:
    whole = [Geometry.whole((8, 8))] * 3
    found = fitted(top_k=1).results({"scores": np.eye(3, dtype=np.float32)}, whole, {})
    assert [one.class_ids for one in found if isinstance(one, Classes)] == [(0,), (1,), (2,)]


def test_labels_must_be_as_many_as_classes() -> None:
    with pytest.raises(SpecError) as caught:
        ClassificationTask(ModelSpec(), ("cat", "dog")).fit(Signature((IMAGE,), (SCORES,)))
    assert caught.value.message == (
        "There are 2 labels, but the model has 3 classes (scores: float32 [?, 3]). "
        "Give one label for each class, in the order of training; or none, and classes are "
        "answered by their numbers."
    )


def test_the_output_must_be_a_row_of_scores() -> None:
    mask = TensorSpec("mask", (None, 128, 128, 3), "float32")
    with pytest.raises(SpecError) as caught:
        ClassificationTask(ModelSpec(), None).fit(Signature((IMAGE,), (mask,)))
    assert caught.value.message == (
        'task = "classification" needs an output [batch, classes], but the model\'s is '
        "mask: float32 [?, 128, 128, 3]. A wrapper of a few lines gives them that form, and is "
        "packed instead of the model (docs/archive.md, Other outputs). "
        'With task = "raw" the outputs are answered as they are.'
    )


def test_a_scalar_output_is_refused_as_any_other_shape() -> None:
    with pytest.raises(SpecError, match=r"needs an output \[batch, classes\]"):
        ClassificationTask(ModelSpec(), None).fit(
            Signature((IMAGE,), (TensorSpec("loss", (), "float32"),))
        )


def test_of_several_outputs_the_declared_one_is_taken() -> None:
    task = ClassificationTask(ModelSpec(model=ModelChoice(output="scores")), None)
    task.fit(Signature((IMAGE,), (OTHER, SCORES)))
    assert task.output == "scores"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (None, "plumbline.toml: [model] output is not set"),
        ("score", "plumbline.toml: [model] output = 'score'"),
    ],
)
def test_of_several_outputs_one_must_be_named(output: str | None, said: str) -> None:
    spec = ModelSpec(model=ModelChoice(output=output))
    with pytest.raises(SpecError) as caught:
        ClassificationTask(spec, None).fit(Signature((IMAGE,), (OTHER, SCORES)))
    assert caught.value.message == (
        f"{said}, but it must be one of embedding, scores: the one that is [batch, classes]. "
        'With task = "raw" the outputs are answered as they are.'
    )


def test_pictures_need_a_model_with_one_input() -> None:
    with pytest.raises(SpecError) as caught:
        ClassificationTask(ModelSpec(), None).fit(Signature((IMAGE, OTHER), (SCORES,)))
    assert caught.value.message == (
        'task = "classification" needs a model with one input, but this one has 2: '
        "image: float32 [?, 8, 8, 3], embedding: float32 [?, 8]. Give all but that of the pictures "
        "a value in plumbline.toml, the same for every picture: [model] constants = "
        '{"embedding" = 0}. Or take task = "raw", and send tensors by their names.'
    )


WORDS = TensorSpec("words", (None,), "string")


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        (b"bee", ("bee", "0", "1")),
        ([b"cat", b"dog", b"bee"], ("bee", "cat", "dog")),
        ([b"\xff", b"", b"bee"], ("bee", "\N{REPLACEMENT CHARACTER}", "1")),
    ],
    ids=["the best", "each class", "odd bytes"],
)
def test_labels_can_come_from_the_model_itself(said: object, labels: tuple[str, ...]) -> None:
    task = ClassificationTask(ModelSpec(), None)
    task.fit(Signature((IMAGE,), (SCORES, WORDS)))
    assert answered(task, [0.25, 0.125, 0.5], said).labels == labels


def test_the_models_one_label_is_of_its_best_class_even_where_a_threshold_prefers_another() -> None:
    spec = ModelSpec(classification=Classification(threshold=(0.9, 0.1, 0.1)))
    task = ClassificationTask(spec, None)
    task.fit(Signature((IMAGE,), (SCORES, WORDS)))
    assert answered(task, [0.5, 0.3, 0.2], b"cat").labels == ("1", "2")


def test_a_model_that_says_words_alone_is_refused() -> None:
    with pytest.raises(SpecError, match="needs an output of scores"):
        ClassificationTask(ModelSpec(), None).fit(Signature((IMAGE,), (WORDS,)))


@pytest.mark.parametrize(
    ("shape", "dtype", "suits", "resembles"),
    [
        ((3,), "float32", True, True),
        ((None,), "float32", True, True),
        ((1,), "float32", False, True),
        ((3,), "int64", True, False),
        ((4, 4, 3), "float32", False, False),
    ],
)
def test_a_row_of_scores_looks_like_a_classifier(
    shape: tuple[int | None, ...], dtype: str, suits: bool, resembles: bool
) -> None:
    """One value alone may be an age, so that a declaration must say that it is a probability."""
    signature = Signature((IMAGE,), (TensorSpec("scores", (None, *shape), dtype), WORDS))
    assert ClassificationTask.suits(signature) is suits
    assert ClassificationTask.resembles(signature) is resembles
