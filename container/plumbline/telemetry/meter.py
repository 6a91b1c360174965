"""What one process counts and measures, where all processes of its server can read it.

prometheus-client keeps the values of a process in files that it maps into memory. They are named by
the process's seat here, not by its pid: whoever sits down where another has died goes on from its
numbers, so that counters never fall, and there are never more files than seats. The files have
their blocks from the beginning: writing to a hole of a full disk would kill the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Metric, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import CollectorRegistry

from plumbline.telemetry import series
from plumbline.telemetry.label_values import (
    AT_NO_MODEL,
    OTHER,
    PICTURE_ERRORS,
    answer_of,
    known_answers,
    outcome_of,
    route_of,
)
from plumbline.telemetry.series import Series

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus-client looks for its folder, as it opens the first file of a kind."""

LARGE, SMALL = 128 * 1024, 16 * 1024
"""Bytes of a file: more than all series that there can be take."""

PATCHING = threading.Lock()


def of_mode(found: Iterable[Series], *, many: bool) -> list[Series]:
    """Those that a server with many models, or with one archive, has."""
    return [one for one in found if one.mode in ("both", "many" if many else "one")]


class Meter:
    """The metrics of this process; without a folder they are known to it alone.

    `FOLDER_VARIABLE` must name the folder in the environment while one is made.
    """

    def __init__(self, folder: Path | None, seat: int, *, many: bool = False) -> None:
        self.many = many
        self.seat = seat
        self.folder = folder if folder and reserved(folder, seat) else None
        self._values: Any = values.MutexValue
        if self.folder:
            self._values = values.MultiProcessValue(lambda: seat)
        self._registry = CollectorRegistry(auto_describe=False)
        self._known = known_answers()
        self._requests: dict[tuple[str, int, str], Counter] = {}
        chosen = of_mode((*series.RECORDED, *series.GAUGES), many=many)
        with self._as_ours():
            made = {one.name: make(one, self._registry) for one in chosen}
            self._durations = bound(made, series.DURATION)
            self._stages = bound(made, series.STAGE)
            self._pictures = bound(made, series.PICTURE)
            self._loads = bound(made, series.MODEL_LOADS) if many else {}
        self._made = made

    @property
    def is_first(self) -> bool:
        """Whether no other process that shares the folder has a lower seat."""
        notes = self.folder.glob("*.pid") if self.folder else ()
        return self.seat <= min((int(note.stem) for note in notes), default=self.seat)

    @contextmanager
    def _as_ours(self) -> Iterator[None]:
        """Let values be made in our files; a user's code may have metrics of its own."""
        with PATCHING:
            before = values.ValueClass
            values.ValueClass = self._values
            try:
                yield
            finally:
                values.ValueClass = before

    def request(
        self, path: str, status: int, error: str | None, seconds: float, size: int | None
    ) -> None:
        """Count a request that has been answered; `size` are the bytes of its body."""
        key = (route_of(path, many=self.many), status, error or "")
        (self._requests.get(key) or self._counter(*key)).inc()
        self._durations[outcome_of(status)].observe(seconds)
        if size is not None:
            self._made[series.SIZE.name].observe(size)

    def _counter(self, route: str, status: int, error: str) -> Counter:
        """The counter for such answers."""
        known = AT_NO_MODEL if route == OTHER else self._known
        code, told = answer_of(status, error, known)
        with self._as_ours():
            counter: Counter = self._made[series.REQUESTS.name].labels(route, code, told)
        if (status, error) in known:
            self._requests[route, status, error] = counter
        return counter

    def stages(self, laps: Mapping[str, float]) -> None:
        """Note how long stages took, in milliseconds by their names."""
        for stage, spent in laps.items():
            known = self._stages.get(stage)
            if known:
                known.observe(spent / 1000)

    def pictures(self, answered: int, refused: int, error: str | None) -> None:
        """Count pictures; a request that fails for one before it is counted tells by its error."""
        if answered:
            self._pictures["ok"].inc(answered)
        if refused or (not answered and error in PICTURE_ERRORS):
            self._pictures["refused"].inc(refused or 1)

    def batch(self, rows: int) -> None:
        """Note how many instances were computed together."""
        self._made[series.BATCH.name].observe(rows)

    def model_load(self, outcome: str, seconds: float) -> None:
        """Count a model that was to be loaded; `outcome` is one of `series.LOADS`."""
        self._loads[outcome].inc()
        self._made[series.MODEL_LOAD.name].observe(seconds)

    def model_unload(self) -> None:
        """Count a model that was unloaded."""
        self._made[series.UNLOADS.name].inc()

    def drift(
        self, buckets: Mapping[str, Sequence[float]], labels: Sequence[str]
    ) -> tuple[dict[str, Histogram], list[Counter]]:
        """What counts pictures, once it is known in which buckets and as which classes."""
        with self._as_ours():
            numbers = {
                name: make(replace(one, buckets=tuple(buckets[name])), self._registry)
                for name, one in series.DRIFT_NUMBERS.items()
                if name in buckets
            }
            if not labels:
                return numbers, []
            predicted = make(series.PREDICTED, self._registry)
            return numbers, [predicted.labels(label) for label in labels]

    def set(self, found: Mapping[str, float]) -> None:
        """Set gauges, by the rest of their names behind `plumbline_`."""
        for name, value in found.items():
            self._made[f"plumbline_{name}"].set(value)

    def families(self) -> list[Metric]:
        """What all processes have counted, or this one alone where there is no folder."""
        return merged(self.folder) if self.folder else plain(self._registry.collect())


def make(one: Series, registry: CollectorRegistry) -> Any:
    """The metric as prometheus-client has it."""
    if one.kind == "counter":
        return Counter(one.name, one.help, one.labels, registry=registry)
    if one.kind == "gauge":
        return Gauge(one.name, one.help, registry=registry, multiprocess_mode=one.merged)  # type: ignore[arg-type]
    return Histogram(one.name, one.help, one.labels, buckets=one.buckets, registry=registry)


def bound(made: Mapping[str, Any], one: Series) -> dict[str, Any]:
    """A metric's children by the value of its one label."""
    (known,) = one.labels.values()
    return {value: made[one.name].labels(value) for value in known}


def reserved(folder: Path, seat: int) -> bool:
    """Take the seat's files: whether there is room for them. Its gauges begin anew."""
    gauges = {one.merged for one in series.GAUGES}
    try:
        folder.mkdir(exist_ok=True)
        for mode in gauges:
            (folder / f"gauge_{mode}_{seat}.db").unlink(missing_ok=True)
            reserve(folder / f"gauge_{mode}_{seat}.db", SMALL)
        for kind in ("counter", "histogram"):
            reserve(folder / f"{kind}_{seat}.db", LARGE)
        (folder / f"{seat}.pid").write_text(str(os.getpid()))
    except OSError:
        return False
    return True


def reserve(file: Path, size: int) -> None:
    """Make a file with so many bytes of its own, at once, if it isn't there."""
    if file.exists():
        return
    begun = file.with_suffix(".new")
    with begun.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:  # macOS
            stream.truncate(size)
    begun.rename(file)


def forget(folder: Path, pid: int) -> None:
    """A process is no more: its gauges count no longer."""
    for note in folder.glob("*.pid"):
        with suppress(OSError):
            if note.read_text() == str(pid):
                mark_process_dead(int(note.stem), str(folder))
                note.unlink()


def merged(folder: Path) -> list[Metric]:
    """What all processes that keep their values in this folder have counted."""
    return plain(MultiProcessCollector(None, path=str(folder)).collect())


def plain(found: Iterable[Metric]) -> list[Metric]:
    """The metrics, without the moments when each was made, which only one process would know.

    Without the golden ratio, too, where no picture was compared: 0 would mean that all is well.
    """
    kept = list(found)
    for metric in kept:
        metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
    values = {metric.name: [one.value for one in metric.samples] for metric in kept}
    if any(values.get(series.GOLDENS.name, ())):
        return kept
    return [metric for metric in kept if metric.name != series.WORST_RATIO.name]
