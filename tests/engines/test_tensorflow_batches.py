"""What TensorFlow answers to many callers whose pictures are computed together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft, lasting
from plumbline.loading.batching import BatchingEngine, takes_batches
from plumbline.vision.arrays import Tensors

pytestmark = pytest.mark.tensorflow


def test_a_crowd_gets_what_each_would_get_alone(load, keras_files, images: np.ndarray) -> None:
    inner: Engine = load(keras_files.saved_model)
    name = inner.signature.input().name
    assert takes_batches(inner.signature)
    batches = []

    class Counting:
        """Notes how many are computed together."""

        name, signature, others = inner.name, inner.signature, inner.others

        def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
            batches.append(len(inputs[name]))
            return inner.run(inputs, left)

    engine = BatchingEngine(Counting(), lanes=1, most=8)
    callers = np.arange(400) % len(images)

    def call(number: int) -> np.ndarray:
        (answer,) = engine.run({name: images[number : number + 1]}, lasting(60)).values()
        return np.asarray(answer[0])

    with ThreadPoolExecutor(16) as pool:
        answers = np.stack(list(pool.map(call, callers)))

    expected = keras_files.predict(images)[callers]
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-6)
    assert sum(batches) == len(callers)
    assert 1 < max(batches) <= 8
