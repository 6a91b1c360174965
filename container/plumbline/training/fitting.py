"""The loop that trains: steps, epochs, the best epoch, checkpoints, and an end when asked.

`keras.Model.fit` can't be taken up in the middle of an epoch, nor can Keras's `BackupAndRestore`
take up what callbacks remember. Here all that a step depends on is the arrays of a checkpoint and
the numbers of epoch and step (what is random in the model has its state there, too): on a CPU with
deterministic operations, a job that was killed ends with the bytes that it would have ended with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from plumbline.training.checkpoints import Checkpoint, Checkpoints
from plumbline.vision.arrays import Tensor

Metrics = Mapping[str, float]


class Batches(Protocol):
    """What is learnt from: batches by epoch and step."""

    @property
    def steps(self) -> int:
        """Of an epoch."""

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Any, Tensor | None]:
        """Inputs, what is to come out, and weights: each `[n, …]`, and always the same."""


@dataclass(frozen=True)
class Course:
    """How long, and what counts as better.

    With `patience`, training ends after so many epochs without an improvement by more than
    `tolerance`, a share of the best, but not before `least` epochs.
    """

    epochs: int
    objective: str
    higher_is_better: bool = True
    patience: int | None = None
    tolerance: float = 0.0
    least: int = 0
    checkpoint_seconds: float = 120.0


@dataclass
class Progress:
    """What the loop remembers besides arrays."""

    history: list[dict[str, float]] = field(default_factory=list)
    best: float | None = None
    best_epoch: int = -1
    waited: int = 0


class Stopped(Exception):
    """The job was asked to end, and has written a checkpoint."""


@dataclass
class Fitting:
    """One model and what it learns from. `rates` gives the learning rate of a step of all."""

    model: Any
    batches: Batches
    evaluate: Callable[[], Metrics]
    course: Course
    rates: Callable[[int], float]
    checkpoints: Checkpoints | None = None
    stop: Callable[[], bool] = bool
    told: Callable[[int, Metrics], None] = lambda *_: None
    """Hears of each epoch."""
    heard: Callable[[int, int, int], None] = lambda *_: None
    """Hears of each step: its epoch, its number in it, and how many that has."""
    progress: Progress = field(default_factory=Progress)
    best_arrays: list[Tensor] = field(default_factory=list)
    written: float = field(default_factory=time.monotonic)

    def run(self) -> Progress:
        """Train to the end; the model is that of the best epoch then.

        Raises `Stopped` when `stop` says so, after the step.
        """
        self.variables()
        epoch, step = self.resume()
        while epoch < self.course.epochs and not self.is_over():
            self.learn(epoch, step)
            metrics = {**self.learnt(), **self.evaluate()}
            self.judge(epoch, metrics)
            self.told(epoch, metrics)
            epoch, step = epoch + 1, 0
            self.write(epoch, step)
        return self.take_best()

    def take_best(self) -> Progress:
        """Let the model be that of the best epoch, if one has ended."""
        if self.best_arrays:
            assign(self.model.variables, self.best_arrays)
        return self.progress

    def learn(self, epoch: int, begin: int) -> None:
        """The steps of an epoch from `begin` on."""
        if not begin:
            self.model.reset_metrics()
        for step in range(begin, self.batches.steps):
            self.model.optimizer.learning_rate = self.rates(epoch * self.batches.steps + step)
            train(self.model, *self.batches.batch(epoch, step))
            self.heard(epoch, step, self.batches.steps)
            if self.stop():
                self.write(epoch, step + 1)
                raise Stopped
            if time.monotonic() - self.written > self.course.checkpoint_seconds:
                self.write(epoch, step + 1)

    def learnt(self) -> dict[str, float]:
        """The metrics of the epoch's steps, by their names with `train:`."""
        found = self.model.get_metrics_result()
        return {f"train:{name}": float(value) for name, value in found.items()}

    def judge(self, epoch: int, metrics: Metrics) -> None:
        """Remember the epoch, and its arrays if it is the best."""
        self.progress.history.append(dict(metrics))
        value, best = metrics[self.course.objective], self.progress.best
        sign = 1 if self.course.higher_is_better else -1
        if best is not None and not sign * (value - best) > self.course.tolerance * abs(best):
            self.progress.waited += 1
        else:
            self.progress.waited = 0
        if best is None or sign * (value - best) > 0:
            self.progress.best, self.progress.best_epoch = value, epoch
            self.best_arrays = arrays_of(self.model.variables)

    def is_over(self) -> bool:
        """Whether it has not become better for too long."""
        course, progress = self.course, self.progress
        enough = len(progress.history) >= course.least
        return course.patience is not None and enough and progress.waited > course.patience

    def write(self, epoch: int, step: int) -> None:
        """A checkpoint, if there is a place for it."""
        if self.checkpoints is not None:
            values = arrays_of(self.variables())
            state = {**vars(self.progress), "arrays": len(values)}
            self.checkpoints.write(Checkpoint(epoch, step, [*values, *self.best_arrays], state))
        self.written = time.monotonic()

    def resume(self) -> tuple[int, int]:
        """Where to begin: the epoch and the step."""
        found = self.checkpoints.newest() if self.checkpoints is not None else None
        if found is None:
            return 0, 0
        state = dict(found.state)
        count = state.pop("arrays")
        assign(self.variables(), found.arrays[:count])
        self.best_arrays = list(found.arrays[count:])
        self.progress = Progress(**state)
        return found.epoch, found.step

    def variables(self) -> list[Any]:
        """All that a step changes, and what the epoch's metrics have counted."""
        self.model.optimizer.build(self.model.trainable_variables)
        self.build_metrics()
        found = (
            *self.model.variables,
            *self.model.optimizer.variables,
            *self.model.metrics_variables,
        )
        return list({id(one): one for one in found}.values())

    def build_metrics(self) -> None:
        """Keras makes the variables of compiled metrics with the first batch: show it one."""
        if any(not getattr(metric, "built", True) for metric in self.model.metrics):
            inputs, targets, weights = self.batches.batch(0, 0)
            self.model.test_on_batch(inputs, targets, sample_weight=weights)
            self.model.reset_metrics()


def train(model: Any, inputs: Tensor, targets: Any, weights: Tensor | None) -> None:
    """One step, on all GPUs if the model was built for several; its metrics go on counting.

    `train_on_batch` would begin to count anew, and give each GPU the whole batch.
    """
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync
    batch: Any = (inputs, targets, weights)
    if replicas > 1:
        if len(inputs) < replicas:
            return  # at the end of an epoch
        parts = [
            [None] * replicas if each is None else np.array_split(each, replicas) for each in batch
        ]
        batch = tuple(
            None
            if part[0] is None
            else strategy.experimental_distribute_values_from_function(
                lambda context, part=part: part[context.replica_id_in_sync_group]
            )
            for part in parts
        )
    model.make_train_function()
    model.train_function(iter([batch]))


def arrays_of(variables: Sequence[Any]) -> list[Tensor]:
    """The values, copied."""
    return [np.array(variable.numpy()) for variable in variables]


def assign(variables: Sequence[Any], values: Sequence[Tensor]) -> None:
    """Give them these values."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
