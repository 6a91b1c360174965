"""Training that was ended in the middle ends with the bytes of one that was not."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline.training.checkpoints import Checkpoints
from plumbline.training.epoch_order import epoch_order
from plumbline.training.fitting import Course, Fitting, Stopped, arrays_of

pytestmark = pytest.mark.tensorflow

PICTURES = np.random.default_rng(0).random((48, 8, 8, 3), np.float32)
CLASSES = (PICTURES.mean((1, 2, 3)) > 0.5).astype(np.int64)
SIZE = 16
EPOCHS = 3


class Shuffled:
    """Batches of the pictures, in another order each epoch."""

    steps = len(PICTURES) // SIZE

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray, None]:
        """One of them."""
        chosen = epoch_order(len(PICTURES), 1, epoch)[step * SIZE : (step + 1) * SIZE]
        return PICTURES[chosen], CLASSES[chosen], None


def build() -> Any:
    """A network with all that is hard to take up: momentum, moving averages, randomness."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.RandomFlip(),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])
    return model


def fitting(
    checkpoints: Checkpoints | None = None, stop: Callable[[], bool] = bool, **course: Any
) -> Fitting:
    """A job with a network of its own."""
    model = build()

    def evaluate() -> dict[str, float]:
        scores = model.predict_on_batch(PICTURES)
        return {"validation:accuracy": float((scores.argmax(-1) == CLASSES).mean())}

    how = Course(**{"epochs": EPOCHS, "objective": "validation:accuracy", **course})
    rates = lambda number: 1e-2 / (1 + number)  # noqa: E731
    return Fitting(model, Shuffled(), evaluate, how, rates, checkpoints, stop)


@pytest.fixture(scope="module")
def whole() -> Iterator[Fitting]:
    """The job that nothing interrupts."""
    from tensorflow.python.framework import config

    config.enable_op_determinism()
    found = fitting()
    found.run()
    yield found
    config.disable_op_determinism()


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8])
def test_a_job_that_was_ended_ends_with_the_same_bytes(
    after: int, whole: Fitting, tmp_path: Path
) -> None:
    checkpoints, steps = Checkpoints(tmp_path, "job"), itertools.count(1)
    with pytest.raises(Stopped):
        fitting(checkpoints, lambda: next(steps) == after).run()

    resumed = fitting(checkpoints)
    resumed.run()

    assert resumed.progress == whole.progress
    expected, found = (arrays_of(each.variables()) for each in (whole, resumed))
    for one, other in zip(expected, found, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_model_of_the_best_epoch_is_kept_and_no_epoch_is_trained_for_nothing() -> None:
    """The objective is dictated here: the second epoch is the best, and two follow it."""
    job = fitting(epochs=9, patience=1)
    dictated = iter([0.5, 0.75, 0.75, 0.7, 0.9])
    arrays = []

    def evaluate() -> dict[str, float]:
        arrays.append(arrays_of(job.model.variables))
        return {"validation:accuracy": next(dictated)}

    job.evaluate = evaluate
    progress = job.run()
    assert (progress.best, progress.best_epoch, len(progress.history)) == (0.75, 1, 4)
    for one, other in zip(arrays[1], arrays_of(job.model.variables), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {"train:loss", "train:accuracy", "validation:accuracy"} <= set(progress.history[0])


def test_learning_rates_are_those_of_the_steps() -> None:
    job, seen = fitting(epochs=1), list[int]()

    def rates(number: int) -> float:
        seen.append(number)
        return 0.0

    job.rates = rates
    before = arrays_of(job.model.trainable_variables)
    job.run()
    assert seen == [0, 1, 2]
    for one, other in zip(before, arrays_of(job.model.trainable_variables), strict=True):
        np.testing.assert_array_equal(one, other)


TWO_DEVICES = """
import numpy as np
import keras, tensorflow as tf
from plumbline.training.fitting import train
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
pictures = np.random.default_rng(0).random((7, 8, 8, 3), np.float32)
targets = np.eye(2, dtype=np.float32)[[0, 1, 1, 0, 1, 0, 0]]
weights = np.arange(1, 8, dtype=np.float32)
found = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
        model = keras.Sequential(layers)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    model.test_on_batch(pictures, targets)  # as `Fitting` does, which makes the metrics' variables
    model.reset_metrics()
    for _ in range(2):
        train(model, pictures[:6], targets[:6], weights[:6])
    found.append([np.array(each) for each in model.get_weights()])
    print(strategy.num_replicas_in_sync, model.get_metrics_result()["accuracy"])
one, two = found
train(model, pictures[:1], targets[:1], weights[:1])
for each, other, after in zip(one, two, model.get_weights()):
    np.testing.assert_allclose(each, other, atol=1e-5)
    np.testing.assert_array_equal(other, after)
"""


def test_a_batch_is_shared_among_the_devices_of_a_machine() -> None:
    """Two of the processor's own stand for GPUs. One picture alone is too few for both."""
    command = [sys.executable, "-c", TWO_DEVICES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["1", "2"]
