"""The confusion matrix and what follows from it, beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from plumbline.training.reports.confusion import class_measures, confusion, most_confused


@pytest.mark.parametrize("classes", [2, 7, 257])
@pytest.mark.parametrize("pictures", [1, 50, 5000])
def test_the_numbers_are_those_of_scikit_learn(classes: int, pictures: int) -> None:
    random = np.random.default_rng(classes * pictures)
    truth = random.integers(0, classes, pictures)
    right = random.random(pictures) < 0.6
    predicted = np.where(right, truth, random.integers(0, classes, pictures))
    labels = list(range(classes))
    matrix = confusion(truth, predicted, classes)
    assert np.array_equal(matrix, metrics.confusion_matrix(truth, predicted, labels=labels))
    precision, recall, f1, count = metrics.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=0
    )
    found = class_measures(matrix)
    np.testing.assert_allclose(found.precision, precision, rtol=1e-15)
    np.testing.assert_allclose(found.recall, recall, rtol=1e-15)
    np.testing.assert_allclose(found.f1, f1, rtol=1e-15)
    assert np.array_equal(found.count, count)


def test_no_pictures_make_a_matrix_too() -> None:
    matrix = confusion([], [], 3)
    assert (matrix.shape, matrix.sum()) == ((3, 3), 0)
    assert class_measures(matrix).f1.tolist() == [0, 0, 0]
    assert most_confused(matrix, 5) == []


@pytest.mark.parametrize(("truth", "predicted"), [([3], [0]), ([0], [-1])])
def test_classes_that_there_are_not_are_refused(truth: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match="of 3"):
        confusion(truth, predicted, 3)


def test_the_most_confused_come_first() -> None:
    matrix = np.array([[9, 1, 0], [5, 80, 7], [0, 0, 3]])
    assert [tuple(each) for each in most_confused(matrix, 2)] == [(1, 2, 7, 92), (1, 0, 5, 92)]
    assert len(most_confused(matrix, 20)) == 3
