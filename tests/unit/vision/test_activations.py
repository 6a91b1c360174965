"""Activations against the textbook."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.vision.activations import sigmoid, softmax

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 6)),
    elements=st.floats(-200, 200, width=32),
)


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
