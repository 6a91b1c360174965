"""Scores → the best labels."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.errors import SpecError
from plumbline.signature import Signature, TensorSpec
from plumbline.spec import Classification, ModelChoice, ModelSpec
from plumbline.tasks import make_task
from plumbline.tasks.classification import ClassificationTask, sigmoid, softmax

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 6)),
    elements=st.floats(-200, 200, width=32),
)
IMAGE = TensorSpec("image", (None, 8, 8, 3), "float32")
SCORES = TensorSpec("scores", (None, 3), "float32")
OTHER = TensorSpec("embedding", (None, 8), "float32")


def fitted(
    labels: tuple[str, ...] | None = None,
    activation: str = "none",
    top_k: int = 5,
) -> ClassificationTask:
    spec = ModelSpec(classification=Classification(activation, top_k))
    task = ClassificationTask(spec, labels)
    task.fit(Signature((IMAGE,), (SCORES,)))
    return task


@given(LOGITS)
def test_softmax_equals_the_textbook_in_float64(logits: np.ndarray) -> None:
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    found = softmax(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, powers / powers.sum(axis=-1, keepdims=True), atol=1e-6)


@given(LOGITS)
def test_sigmoid_equals_the_textbook_in_float64(logits: np.ndarray) -> None:
    found = sigmoid(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits.astype(np.float64))), atol=1e-6)


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[1e4, -1e4, 0]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(softmax(logits), [[1, 0, 0]])
        np.testing.assert_array_equal(sigmoid(logits), [[1, 0, 0.5]])


def test_the_best_come_first_with_their_labels() -> None:
    task = fitted(("cat", "dog", "bee"))
    assert task.results({"scores": np.array([[0.25, 0.125, 0.5]], np.float32)}, {}) == [
        {
            "classes": [
                {"label": "bee", "class_id": 2, "score": 0.5},
                {"label": "cat", "class_id": 0, "score": 0.25},
                {"label": "dog", "class_id": 1, "score": 0.125},
            ]
        }
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float16, np.float64])
def test_scores_of_any_dtype_are_sorted_by_value(dtype: type) -> None:
    [answer] = fitted().results({"scores": np.array([[0, 10, 100]], dtype)}, {})
    assert [best["class_id"] for best in answer["classes"]] == [2, 1, 0]


def test_equal_scores_come_in_the_order_of_their_classes() -> None:
    [answer] = fitted().results({"scores": np.array([[0.5, 0.7, 0.5]], np.float32)}, {})
    assert [best["class_id"] for best in answer["classes"]] == [1, 0, 2]


def test_without_labels_a_class_is_its_number() -> None:
    [answer] = fitted().results({"scores": np.array([[0, 0, 1]], np.float32)}, {})
    assert answer["classes"][0]["label"] == "2"


@pytest.mark.parametrize(("declared", "asked", "count"), [(2, None, 2), (2, 1, 1), (1, 99, 3)])
def test_the_request_overrules_the_declared_top_k(
    declared: int, asked: int | None, count: int
) -> None:
    options = {} if asked is None else {"top_k": asked}
    [answer] = fitted(top_k=declared).results({"scores": np.eye(1, 3)}, options)
    assert len(answer["classes"]) == count


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
    answers = fitted(top_k=1).results({"scores": np.eye(3, dtype=np.float32)}, {})
    assert [answer["classes"][0]["class_id"] for answer in answers] == [0, 1, 2]


def test_labels_must_be_as_many_as_classes() -> None:
    with pytest.raises(SpecError) as caught:
        make_task(ModelSpec(), ("cat", "dog")).fit(Signature((IMAGE,), (SCORES,)))
    assert caught.value.message == (
        "There are 2 labels, but the model has 3 classes (scores: float32 [?, 3]). "
        "Give one label for each class, in the order of training."
    )


def test_the_output_must_be_a_row_of_scores() -> None:
    mask = TensorSpec("mask", (None, 128, 128, 3), "float32")
    with pytest.raises(SpecError) as caught:
        make_task(ModelSpec(), None).fit(Signature((IMAGE,), (mask,)))
    assert caught.value.message == (
        'task = "classification" needs an output [batch, classes], but the model\'s is '
        "mask: float32 [?, 128, 128, 3]."
    )


def test_a_scalar_output_is_refused_as_any_other_shape() -> None:
    with pytest.raises(SpecError, match=r"needs an output \[batch, classes\]"):
        make_task(ModelSpec(), None).fit(Signature((IMAGE,), (TensorSpec("loss", (), "float32"),)))


def test_of_several_outputs_the_declared_one_is_taken() -> None:
    task = ClassificationTask(ModelSpec(model=ModelChoice(output="scores")), None)
    task.fit(Signature((IMAGE,), (OTHER, SCORES)))
    assert task.output == "scores"


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            None,
            "plumbline.toml: [model] output is not set, but it must be one of embedding, scores.",
        ),
        (
            "score",
            "plumbline.toml: [model] output = 'score', but it must be one of embedding, scores.",
        ),
    ],
)
def test_of_several_outputs_one_must_be_named(output: str | None, sentence: str) -> None:
    spec = ModelSpec(model=ModelChoice(output=output))
    with pytest.raises(SpecError) as caught:
        make_task(spec, None).fit(Signature((IMAGE,), (OTHER, SCORES)))
    assert caught.value.message == sentence


def test_pictures_need_a_model_with_one_input() -> None:
    with pytest.raises(SpecError) as caught:
        make_task(ModelSpec(), None).fit(Signature((IMAGE, OTHER), (SCORES,)))
    assert caught.value.message == (
        'task = "classification" needs a model with one input, but this one has 2: '
        "image: float32 [?, 8, 8, 3], embedding: float32 [?, 8]."
    )


WORDS = TensorSpec("words", (None,), "string")


@pytest.mark.parametrize(
    ("said", "labels"),
    [([b"bee"], ["bee", "0", "1"]), ([[b"cat", b"dog", b"bee"]], ["bee", "cat", "dog"])],
    ids=["the best", "each class"],
)
def test_labels_can_come_from_the_model_itself(said: list[object], labels: list[str]) -> None:
    task = ClassificationTask(ModelSpec(), None)
    task.fit(Signature((IMAGE,), (SCORES, WORDS)))
    scores = np.array([[0.25, 0.125, 0.5]], np.float32)
    [answer] = task.results({"scores": scores, "words": np.array(said, object)}, {})
    assert [best["label"] for best in answer["classes"]] == labels


def test_a_model_that_says_words_alone_is_refused() -> None:
    with pytest.raises(SpecError, match="needs an output of scores"):
        ClassificationTask(ModelSpec(), None).fit(Signature((IMAGE,), (WORDS,)))
