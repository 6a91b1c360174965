"""`GET /metrics`, and what is told without being asked for: the lines for CloudWatch."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prometheus_client import Metric

from plumbline.hosting.hosted_models import Hosts
from plumbline.loading import golden_check
from plumbline.loading.served_model import ServedModel
from plumbline.pipeline.admission import Admission
from plumbline.settings.server_settings import Settings
from plumbline.telemetry import container_facts, series
from plumbline.telemetry.busiest import Busiest
from plumbline.telemetry.embedded import EVERY_SECONDS, Embedded
from plumbline.telemetry.exposition import Exposition, family
from plumbline.telemetry.meter import Meter, merged
from plumbline.web.exchange import Answer, Exchange
from plumbline.web.observation import Observer
from plumbline.web.worker_succession import NOTES

TELLING = "plumbline.telling"
"""The extension of the app that tells of it."""

FOLDER = "metrics"
"""The part of the shared folder where processes keep their values."""

STATE = "told.json"
"""What the lines for CloudWatch have told so far."""

STDOUT = 1
"""The descriptor itself: what a handler prints goes another way."""

MOST_MODELS = 16
"""Of an archive, that are told by name."""


class Served(Protocol):
    """What is served, as far as metrics tell it."""

    def gauges(self) -> Mapping[str, float]:
        """The values that this process sets."""

    def families(self) -> Iterator[Metric]:
        """What is looked up at a scrape."""


def of_admission(admission: Admission) -> dict[str, float]:
    """How full the process is."""
    load = admission.load
    return {
        "requests_inside": load.inside,
        "requests_waiting": admission.waiting,
        "places": load.slots + load.queue,
        "slots_free": admission.free,
    }


@dataclass(frozen=True)
class OneArchive:
    """The models of one archive."""

    model: ServedModel
    admission: Admission

    def gauges(self) -> Mapping[str, float]:
        """See `Served.gauges`."""
        status = self.model.status
        is_ready = float(status.state == "ready")
        found = of_admission(self.admission) | {"ready": is_ready, "workers_ready": is_ready}
        if isinstance(status.error, golden_check.Measured):
            found["golden_pictures"] = status.error.pictures
            found["golden_worst_ratio"] = status.error.ratio
        if status.models and status.models.models:
            facts = [model.pipeline.facts for model in status.models.models]
            found["load_seconds"] = status.models.load_seconds
            found["warmup_seconds"] = sum(one.warmup_seconds for one in facts)
            found["golden_pictures"] = sum(one.goldens for one in facts)
            found["golden_worst_ratio"] = max(one.worst_ratio for one in facts)
        return found

    def families(self) -> Iterator[Metric]:
        """See `Served.families`."""
        models = self.model.status.models
        if models:
            found = []
            for one in models.models[:MOST_MODELS]:
                served = one.pipeline
                what = (one.name, str(one.version), served.engine.name, served.facts.form)
                values = (*what, served.spec.task, models.archive)
                labels = dict(zip(series.MODEL_INFO.labels, values, strict=True))
                found.append((labels, 1.0))
            yield family(series.MODEL_INFO, *found)
        ends = NOTES.ends()
        counts = (({"reason": why}, float(ends.get(why, 0))) for why in series.ENDS)
        yield family(series.WORKER_ENDS, *counts)


@dataclass(frozen=True)
class ManyArchives:
    """The models of a multi-model endpoint."""

    hosts: Hosts
    admission: Admission
    busiest: Busiest | None

    def gauges(self) -> Mapping[str, float]:
        """See `Served.gauges`."""
        facts = [one.running.facts for one in self.hosts.loaded() if one.running]
        return of_admission(self.admission) | {
            "ready": 1.0,
            "workers_ready": 1.0,
            "golden_pictures": sum(one.get("goldens", 0) for one in facts),
            "golden_worst_ratio": max((one.get("worstRatio", 0.0) for one in facts), default=0.0),
        }

    def families(self) -> Iterator[Metric]:
        """See `Served.families`."""
        loaded = self.hosts.loaded()
        yield family(series.LOADED, ({}, float(len(loaded))))
        ends = self.hosts.ends
        counts = (({"reason": why}, float(ends.get(why, 0))) for why in series.ENDS)
        yield family(series.WORKER_ENDS, *counts)
        if self.busiest:
            counted = self.busiest.counted({one.name: one.requests for one in loaded})
            yield family(series.BUSIEST, *(({"model": name}, n) for name, n in counted.items()))


@dataclass
class Telling:
    """All that one process tells; `tend` is called several times a second."""

    observer: Observer
    meter: Meter
    served: Served
    embedded: Embedded | None = None
    due: float = field(default_factory=lambda: time.monotonic() + EVERY_SECONDS)
    saturations: list[float] = field(default_factory=list)
    looked: float = 0.0

    def __post_init__(self) -> None:
        self._exposition = Exposition(self.families)

    def metrics(self, came: Exchange) -> Answer:
        """All metrics, for whoever scrapes them."""
        return Answer.of(*self._exposition.text(came.headers.get("Accept", "")))

    def families(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        self.meter.set(self.served.gauges())
        yield from self.meter.families()
        yield family(series.BUILD_INFO, (container_facts.build(), 1.0))
        yield family(series.STARTED, ({}, container_facts.started(os.getppid())))
        kinds = (({"kind": kind}, float(size)) for kind, size in container_facts.memory())
        yield family(series.MEMORY_BYTES, *kinds)
        spent = container_facts.cpu_seconds()
        if spent is not None:
            yield family(series.CPU_SECONDS, ({}, spent))
        yield family(series.PARTIAL, ({}, float(self.meter.folder is None)))
        yield from self.served.families()

    def tend(self) -> None:
        """Set this process's gauges; write a line where it is time for one."""
        gauges = self.served.gauges()
        self.meter.set(gauges)
        now = time.monotonic()
        if self.embedded and now >= self.looked + 1:
            self.looked = now
            self.saturations.append(100 * gauges["requests_inside"] / max(1, gauges["places"]))
            if now >= self.due:
                self.due = now + EVERY_SECONDS
                if self.meter.is_first:
                    self.tell(self.embedded)
                self.saturations = []

    def tell(self, embedded: Embedded) -> None:
        """Write what has happened since the last line."""
        write(embedded.line(self.meter.families(), self.saturations, time.time()))

    def close(self) -> None:
        """At the end of this process: tell what nobody else would."""
        if self.embedded and self.meter.folder is None:
            self.tell(self.embedded)
        if self.observer.spans:
            self.observer.spans.close()


def embedded_of(chosen: Settings, folder: Path | None) -> Embedded | None:
    """What writes lines for CloudWatch, if it shall."""
    if chosen.metrics != "emf":
        return None
    dimensions = {"Endpoint": chosen.endpoint, "Variant": chosen.variant}
    named = {name: value for name, value in dimensions.items() if value}
    return Embedded(named, folder and folder / STATE)


def tell_the_rest(chosen: Settings, shared: Path | None) -> None:
    """In the arbiter, once all workers have ended: what happened since the last line."""
    embedded = embedded_of(chosen, shared and shared / FOLDER)
    if embedded and shared and (shared / FOLDER).is_dir():
        write(embedded.line(merged(shared / FOLDER), (), time.time()))


def write(line: str | None) -> None:
    """Write a line, at once, where CloudWatch's agent reads it."""
    if line:
        os.write(STDOUT, f"{line}\n".encode())
