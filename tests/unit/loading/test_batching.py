"""Requests that come while the engine is busy are computed together, and harm nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.engines.base import Engine
from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import TimeLeft, lasting
from plumbline.errors import ClientGone, DeadlineExceeded, EngineError, InputRefused
from plumbline.loading import batching as batching_module
from plumbline.loading.batching import BatchingEngine, batching, takes_batches
from plumbline.machine.sizing import MOST_TOGETHER
from plumbline.pipeline.admission import Deadline, stays
from plumbline.pipeline.inference import Predictor
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec, Preprocess
from plumbline.tasks.task_table import make_task
from plumbline.vision.arrays import Tensors
from plumbline.vision.images import Limits

LONG = 30.0

DOUBLES = Signature(
    (TensorSpec("x", (None, None), "float32"),), (TensorSpec("y", (None, None), "float32"),)
)


@dataclass
class Doubling:
    """Doubles each row once a test lets it; a negative value is refused, and NaN fails."""

    name: str = "doubling"
    signature: Signature = DOUBLES
    others: Mapping[str, Engine] = field(default_factory=dict)
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    begun: list[list[float]] = field(default_factory=list)
    """The first column of each batch."""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        self.begun.append(inputs["x"][:, 0].tolist())
        while not self.gate.acquire(timeout=min(0.005, left())):
            pass
        if (inputs["x"] < 0).any():
            raise InputRefused("A value is negative.")
        if np.isnan(inputs["x"]).any():
            raise EngineError("It failed.")
        return {"y": 2 * inputs["x"]}

    def finish(self, count: int = 100) -> None:
        """Let so many runs end."""
        self.gate.release(count)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class Hourglass:
    """Time that is up when a test says so, however slow the machine."""

    def __init__(self) -> None:
        self.is_up = threading.Event()

    def __call__(self) -> float:
        if self.is_up.is_set():
            raise DeadlineExceeded("The time is up.")
        return LONG


class Crowd:
    """Callers that come one after the other, each in a thread."""

    def __init__(self, pool: ThreadPoolExecutor, inner: Doubling, lanes: int, most: int) -> None:
        self.pool, self.inner = pool, inner
        self.rows: list[int] = []
        self.engine = BatchingEngine(inner, lanes, most, self.rows.append)

    def waiting(self) -> int:
        return len(self.engine._waiting)

    def computes(self, *values: float) -> Future[Tensors]:
        """A caller who is computed at once."""
        count = len(self.inner.begun)
        future = self.comes(*values)
        until(lambda: len(self.inner.begun) > count)
        return future

    def waits(self, *values: float, **how: Any) -> Future[Tensors]:
        """A caller who waits in line."""
        count = self.waiting()
        future = self.comes(*values, **how)
        until(lambda: self.waiting() > count)
        return future

    def comes(
        self,
        *values: float,
        left: TimeLeft | None = None,
        width: int = 1,
        gone: Callable[[], bool] = stays,
    ) -> Future[Tensors]:
        rows = np.repeat(np.array(values, np.float32)[:, None], width, axis=1)
        left = left or Deadline(LONG, gone=gone).remaining
        return self.pool.submit(self.engine.run, {"x": rows}, left)

    def is_at_rest(self) -> bool:
        """Whether every lane came back."""
        until(lambda: self.engine._free == self.lanes and not self.waiting())
        return True

    @property
    def lanes(self) -> int:
        return 1


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """One lane, batches of up to four."""
    inner = Doubling()
    with ThreadPoolExecutor(16) as pool:
        yield Crowd(pool, inner, lanes=1, most=4)
        inner.finish(1000)


def column(future: Future[Tensors]) -> list[float]:
    return list(future.result(10)["y"][:, 0])


def test_a_lone_caller_is_computed_at_once(crowd: Crowd) -> None:
    first = crowd.computes(1)
    crowd.inner.finish()
    assert column(first) == [2]
    assert crowd.is_at_rest()


def test_those_who_wait_are_computed_together_and_each_gets_its_own(crowd: Crowd) -> None:
    callers = [crowd.computes(1), crowd.waits(2), crowd.waits(3, 4), crowd.waits(5)]
    crowd.inner.finish()
    assert [column(caller) for caller in callers] == [[2], [4], [6, 8], [10]]
    assert crowd.inner.begun == [[1], [2, 3, 4, 5]]
    assert crowd.rows == [1, 4], "so it is told in the metrics"
    assert crowd.is_at_rest()


def test_a_batch_is_no_larger_than_it_may_be(crowd: Crowd) -> None:
    callers = [crowd.computes(0), *(crowd.waits(value) for value in range(1, 7))]
    crowd.inner.finish()
    assert [column(caller) for caller in callers] == [[2.0 * value] for value in range(7)]
    assert crowd.inner.begun == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_caller_with_more_than_a_batch_is_computed_alone(crowd: Crowd) -> None:
    callers = [crowd.computes(0), crowd.waits(1, 2, 3, 4, 5), crowd.waits(6)]
    crowd.inner.finish()
    assert [column(caller) for caller in callers] == [[0], [2, 4, 6, 8, 10], [12]]
    assert crowd.inner.begun == [[0], [1, 2, 3, 4, 5], [6]]


def test_other_shapes_are_computed_apart(crowd: Crowd) -> None:
    callers = [crowd.computes(0), crowd.waits(1), crowd.waits(2, width=3), crowd.waits(3)]
    crowd.inner.finish()
    assert [column(caller) for caller in callers] == [[0], [2], [4], [6]]
    assert crowd.inner.begun == [[0], [1, 3], [2]]


@pytest.mark.parametrize(("bad", "error"), [(-1.0, InputRefused), (float("nan"), EngineError)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_input_harms_nobody_else(
    crowd: Crowd, bad: float, error: type[Exception], place: int
) -> None:
    values = [1.0, 2.0]
    values.insert(place, bad)
    first, *others = [crowd.computes(0), *(crowd.waits(value) for value in values)]
    crowd.inner.finish()
    assert column(first) == [0]
    assert isinstance(others.pop(place).exception(10), error)
    assert [column(other) for other in others] == [[2], [4]]
    assert crowd.is_at_rest()


def test_time_that_is_up_while_waiting_ends_the_wait_alone(crowd: Crowd) -> None:
    clock = Hourglass()
    first, hasty, patient = crowd.computes(0), crowd.waits(1, left=clock), crowd.waits(2)
    clock.is_up.set()
    assert isinstance(hasty.exception(10), DeadlineExceeded)
    crowd.inner.finish()
    assert [column(first), column(patient)] == [[0], [4]]
    assert crowd.inner.begun == [[0], [2]]


def test_time_that_is_up_in_a_batch_ends_only_its_own(crowd: Crowd) -> None:
    clock = Hourglass()
    first, patient, hasty = crowd.computes(0), crowd.waits(1), crowd.waits(2, left=clock)
    crowd.inner.finish(1)
    assert column(first) == [0]
    until(lambda: len(crowd.inner.begun) == 2)
    clock.is_up.set()
    assert isinstance(hasty.exception(10), DeadlineExceeded)
    crowd.inner.finish()
    assert column(patient) == [2]
    assert crowd.inner.begun == [[0], [1, 2]]
    assert crowd.is_at_rest()


def test_a_batch_whose_first_has_no_time_left_is_computed_for_the_others(crowd: Crowd) -> None:
    clock = Hourglass()
    first, hasty, patient = crowd.computes(0), crowd.waits(1, left=clock), crowd.waits(2)
    crowd.inner.finish(1)
    assert column(first) == [0]
    until(lambda: len(crowd.inner.begun) == 2)
    clock.is_up.set()
    assert isinstance(hasty.exception(10), DeadlineExceeded)
    crowd.inner.finish()
    assert column(patient) == [4]
    assert crowd.inner.begun == [[0], [1, 2], [2]]
    assert crowd.is_at_rest()


def test_two_lanes_compute_at_a_time() -> None:
    with ThreadPoolExecutor(4) as pool:
        crowd = Crowd(pool, Doubling(), lanes=2, most=4)
        callers = [crowd.computes(1), crowd.computes(2), crowd.waits(3)]
        crowd.inner.finish()
        assert [column(caller) for caller in callers] == [[2], [4], [6]]


@given(st.lists(st.lists(st.floats(-1, 9, width=32), min_size=1, max_size=6), max_size=20))
@settings(max_examples=20)
def test_whoever_comes_when_gets_what_it_would_get_alone(callers: list[list[float]]) -> None:
    inner = Doubling()
    inner.finish(10_000)
    with ThreadPoolExecutor(16) as pool:
        crowd = Crowd(pool, inner, lanes=1, most=4)
        futures = [crowd.comes(*values) for values in callers]
        for values, future in zip(callers, futures, strict=True):
            if min(values) < 0:
                assert isinstance(future.exception(10), InputRefused)
            else:
                assert column(future) == [2 * value for value in values]
        assert crowd.is_at_rest()


def test_nothing_is_computed_for_callers_that_are_gone(crowd: Crowd) -> None:
    gone = threading.Event()
    first = crowd.computes(1)
    left, stayed = crowd.waits(2, gone=gone.is_set), crowd.waits(3)

    gone.set()
    assert isinstance(left.exception(10), ClientGone)
    crowd.inner.finish()

    assert (column(first), column(stayed)) == ([2], [6])
    assert crowd.inner.begun == [[1], [3]]
    assert crowd.is_at_rest()


def test_nobody_takes_along_whom_nobody_waits_for(crowd: Crowd, monkeypatch) -> None:
    """Even one who has not noticed yet that its caller is gone."""
    monkeypatch.setattr(batching_module, "PATIENCE", LONG)
    gone = threading.Event()
    first, second = crowd.computes(1), crowd.waits(2)
    left = crowd.waits(3, gone=gone.is_set)

    gone.set()
    crowd.inner.finish()

    assert (column(first), column(second)) == ([2], [4])
    assert isinstance(left.exception(10), ClientGone)
    assert crowd.inner.begun == [[1], [2]]
    assert crowd.is_at_rest()


def test_inputs_that_differ_in_length_are_left_to_the_model() -> None:
    class Two(FakeEngine):
        def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
            assert left() <= LONG
            return {"sum": inputs["a"] + inputs["b"]}

    uneven = {"a": np.ones((1, 2), np.float32), "b": np.ones((3, 2), np.float32)}
    assert BatchingEngine(Two(), 1, 8).run(uneven, lasting(LONG))["sum"].shape == (3, 2)


# --- which models -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mixing(FakeEngine):
    """Answers a picture by what else is in its batch."""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        scores = super().run(inputs, left)["scores"]
        return {"scores": scores / scores.sum(axis=0, keepdims=True).clip(1e-9)}


@dataclass(frozen=True)
class Failing(FakeEngine):
    """Computes one picture at a time, and no more."""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        if len(inputs["image"]) > 1:
            raise InputRefused("One at a time.")
        return super().run(inputs, left)


def predictor(engine: Engine) -> Predictor:
    spec = ModelSpec(preprocess=Preprocess(normalize="unit"))
    task = make_task(spec, tuple("abcdefghij"))
    task.fit(engine.signature)
    return Predictor(spec, engine, task, Limits())


def test_a_model_whose_rows_are_independent_is_batched() -> None:
    found = batching(predictor(FakeEngine()), [], lanes=2, most=MOST_TOGETHER)
    assert isinstance(found, BatchingEngine)
    assert (found.name, found.signature) == ("fake", FakeEngine().signature)
    assert batching(predictor(FakeEngine()), [], lanes=2, most=1) == FakeEngine()


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (Mixing(), "a picture's answer depends on what is computed with it"),
        (Failing(), "could not be proven that answers stay the same (One at a time.)"),
    ],
)
def test_a_model_whose_rows_are_not_is_left_as_it_is(
    engine: Engine, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "plumbline.batching"):
        assert batching(predictor(engine), [], lanes=2, most=MOST_TOGETHER) is engine
    assert words in caplog.text


ROWS = TensorSpec("rows", (None, 3), "float32")


@pytest.mark.parametrize(
    ("inputs", "outputs", "takes"),
    [
        ((ROWS,), (ROWS,), True),
        ((ROWS, ROWS), (ROWS, ROWS), True),
        ((replace(ROWS, shape=(4, 3)),), (ROWS,), False),
        ((ROWS,), (replace(ROWS, shape=(4, 3)),), False),
        ((ROWS,), (ROWS, replace(ROWS, shape=())), False),
        ((ROWS, replace(ROWS, shape=())), (ROWS,), False),
        ((ROWS,), (replace(ROWS, dtype="string"),), False),
        ((replace(ROWS, dtype="string"),), (ROWS,), True),
    ],
)
def test_only_signatures_by_rows_take_batches(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], takes: bool
) -> None:
    assert takes_batches(Signature(inputs, outputs)) is takes
