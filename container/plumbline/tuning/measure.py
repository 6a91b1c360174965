"""Combinations of engine, batch and slots, each under the load of one caller and of a crowd."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plumbline.admission import Admission, Deadline
from plumbline.batching import BatchingEngine
from plumbline.pipeline import Pipeline
from plumbline.requests import Request
from plumbline.sizing import MOST_TOGETHER
from plumbline.stopwatch import Stopwatch

CROWD = 16
"""Callers at a time; each asks again as soon as it has its answer."""

BATCHES = (1, 4, MOST_TOGETHER, 2 * MOST_TOGETHER)

ROUNDS = 3
"""How often each combination has its turn: what disturbs the machine then disturbs them all."""

LEAST_SECONDS = 0.2
"""Of a single load, however little time there is."""

PATIENCE = 60.0
"""The deadline of a request, in seconds."""


@dataclass(frozen=True)
class Loaded:
    """A model in an engine, and the settings that make the server load it so."""

    pipeline: Pipeline
    engine: str
    """auto where the server would choose that engine by itself."""
    streams: int | None = None
    """Of OpenVINO, where they are not as many as cores."""
    default: bool = False


@dataclass(frozen=True)
class Trial:
    """A combination, and the pipeline that answers with it."""

    loaded: Loaded
    batch: int
    slots: int
    default: bool


@dataclass(frozen=True)
class Measured:
    """How a combination did."""

    trial: Trial
    milliseconds: float
    """Of one caller's answer."""
    rate: float
    """Answers a second to a crowd."""


def trials(
    models: Sequence[Loaded], cores: int, default_slots: int, most_slots: int
) -> Iterator[Trial]:
    """The combinations for each engine that the model was loaded in."""
    for loaded in models:
        pipeline = loaded.pipeline
        usual = MOST_TOGETHER if isinstance(pipeline.engine, BatchingEngine) else 1
        for batch, slots in combinations(pipeline, cores, default_slots, most_slots):
            default = loaded.default and (batch, slots) == (usual, default_slots)
            tried = replace(loaded, pipeline=with_batch(pipeline, batch, cores))
            yield Trial(tried, batch, slots, default)


def combinations(
    pipeline: Pipeline, cores: int, default_slots: int, most_slots: int
) -> Iterator[tuple[int, int]]:
    """Batch and slots; a batch forms only where there are more slots than cores."""
    wanted = {cores, 4 * cores, default_slots}
    for slots in sorted({min(count, most_slots) for count in wanted}):
        batches = BATCHES if isinstance(pipeline.engine, BatchingEngine) else (1,)
        yield from ((batch, slots) for batch in batches if batch == 1 or slots > cores)


def with_batch(pipeline: Pipeline, batch: int, lanes: int) -> Pipeline:
    """The pipeline with batches of another length."""
    if not isinstance(pipeline.engine, BatchingEngine):
        return pipeline
    inner = pipeline.engine.engine
    return replace(pipeline, engine=inner if batch == 1 else BatchingEngine(inner, lanes, batch))


def measure(
    tried: Sequence[Trial], picture: bytes, seconds: float, advance: Callable[[str], None]
) -> list[Measured]:
    """Load each in turn, for so many seconds in all."""
    each = max(LEAST_SECONDS, seconds / (2 * ROUNDS * len(tried)))
    alone, crowd = list[list[float]](), list[list[float]]()
    for _ in range(ROUNDS):
        alone.append([])
        crowd.append([])
        for trial in tried:
            alone[-1].append(1 / rate(trial, picture, 1, each))
            crowd[-1].append(rate(trial, picture, CROWD, each))
            advance(words(trial))
    found = zip(tried, evened(alone), evened(crowd), strict=True)
    return [Measured(trial, 1000 * seconds, rate) for trial, seconds, rate in found]


def evened(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The medians over rounds, whatever slowed down a round as a whole taken out."""
    table = np.array(rounds)
    usual = table.mean(axis=1, keepdims=True)
    medians: list[float] = (np.median(table / usual, axis=0) * np.median(usual)).tolist()
    return medians


def rate(trial: Trial, picture: bytes, callers: int, seconds: float) -> float:
    """Answers a second to so many callers. Raises what an answer raises."""
    admission = Admission(trial.slots, callers)
    request = Request(picture, "application/x-image", "", {})
    failures: list[Exception] = []
    done = [0] * callers
    start = time.perf_counter()

    def call(number: int) -> None:
        try:
            while time.perf_counter() - start < seconds or not done[number]:
                deadline, watch = Deadline(PATIENCE), Stopwatch()
                with admission.slot(deadline, watch):
                    trial.loaded.pipeline(request, deadline.remaining, watch)
                done[number] += 1
        except Exception as exc:  # told where the callers were started
            failures.append(exc)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(done) / (time.perf_counter() - start)


def words(trial: Trial) -> str:
    """A combination in a few words."""
    return f"{title(trial)}, batch {trial.batch}, {trial.slots} slots"


def title(trial: Trial) -> str:
    """The engine, and its streams where they are not the usual ones."""
    streams = trial.loaded.streams
    name = trial.loaded.pipeline.engine.name
    return name if streams is None else f"{name}, {streams} stream{'s' * (streams > 1)}"
