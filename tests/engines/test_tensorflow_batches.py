"""What TensorFlow answers to many callers whose pictures are computed together."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft, lasting
from plumbline.loading.batching import BatchingEngine, takes_batches
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
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


@pytest.mark.parametrize(("parallel", "expected"), [(None, 3), (1, 1), (2, 2)])
def test_so_many_batches_are_computed_at_a_time_as_the_settings_say(
    parallel: int | None, expected: int, keras_files, images: np.ndarray, tmp_path: Path
) -> None:
    shutil.copytree(keras_files.saved_model, tmp_path / "model/1")
    terms = Terms(engine="tensorflow", cores=3, most_together=4, parallel_batches=parallel)
    engine = load_models(tmp_path, terms, lambda _: None).default.pipeline.engine
    assert isinstance(engine, BatchingEngine)
    name = engine.signature.input().name
    at_work, most, lock = set[int](), list[int](), threading.Lock()
    full, inner = threading.Barrier(expected), engine.engine

    class Watching:
        """Notes how many compute beside one another; the first wait for as many as are let in."""

        def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
            with lock:
                at_work.add(threading.get_ident())
                most.append(len(at_work))
                first = len(most) <= expected
            if first:
                full.wait(30)
            try:
                return inner.run(inputs, left)
            finally:
                with lock:
                    at_work.discard(threading.get_ident())

    engine.engine = Watching()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: engine.run({name: images[:1]}, lasting(60)), range(60)))

    assert max(most) == expected
