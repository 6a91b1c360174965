"""Lines of CloudWatch's embedded metric format, for endpoints whose /metrics nobody asks for.

A line tells what has happened since the last one, of all processes; the first process writes them.
Of latencies CloudWatch takes values, not buckets: each is the middle of its bucket. docs/metrics.md
lists what a line holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import Metric

from plumbline.telemetry import series

NAMESPACE = "Plumbline"

MOST_VALUES = 100
"""Of one metric in a line, as CloudWatch allows."""

MOST_RATIO = 1e9
"""What stands for an infinite ratio: CloudWatch takes no such number."""

EVERY_SECONDS = 60.0

UNITS = {
    "Requests": "Count",
    "Errors4xx": "Count",
    "Errors5xx": "Count",
    "Busy": "Count",
    "LatencyMs": "Milliseconds",
    "WaitMs": "Milliseconds",
    "InferMs": "Milliseconds",
    "SaturationPercent": "Percent",
    "GoldenWorstRatio": "None",
}

HISTOGRAMS = {
    "LatencyMs": (series.DURATION.name, None),
    "WaitMs": (series.STAGE.name, "wait"),
    "InferMs": (series.STAGE.name, "infer"),
}
"""Which histogram a metric's values are drawn from, and which of its stages."""

Totals = Mapping[str, float]


@dataclass
class Embedded:
    """Writes the lines of one server; `state` is where its processes keep what has been told."""

    dimensions: Mapping[str, str]
    state: Path | None
    told: Totals = field(default_factory=dict)

    def line(
        self, found: Iterable[Metric], saturations: Sequence[float], seconds: float
    ) -> str | None:
        """What has changed since the last line, at that moment since 1970; None for nothing."""
        now = totals(found)
        before = self.before()
        self.keep(now)
        since = {name: max(0.0, value - before.get(name, 0.0)) for name, value in now.items()}
        values = told_values(since)
        if saturations:
            values["SaturationPercent"] = [round(one, 1) for one in saturations[-MOST_VALUES:]]
        if "golden" in now:
            values["GoldenWorstRatio"] = min(now["golden"], MOST_RATIO)
        return written(values, self.dimensions, seconds) if values else None

    def before(self) -> Totals:
        """What had happened when the last line was written, by whichever process."""
        if self.state is None:
            return self.told
        try:
            kept: Totals = json.loads(self.state.read_text("utf-8"))
        except (OSError, ValueError):
            return self.told
        return kept

    def keep(self, now: Totals) -> None:
        """Let the next line begin here."""
        self.told = now
        if self.state is not None:
            try:
                begun = self.state.with_suffix(".new")
                begun.write_text(json.dumps(now), "utf-8")
                begun.rename(self.state)
            except OSError:
                self.state = None


def totals(found: Iterable[Metric]) -> Totals:
    """The sums that lines are made of, by names of their own."""
    sums: dict[str, float] = {}
    for sample in (sample for metric in found for sample in metric.samples):
        name = key_of(sample.name, sample.labels)
        if name:
            sums[name] = sums.get(name, 0.0) + sample.value
    return sums


def key_of(name: str, labels: Mapping[str, str]) -> str:
    """Under which name a sample is summed up; empty for what no line tells."""
    if name == series.REQUESTS.name:
        code = labels["code"]
        return "busy" if code in ("503", "507") else f"status {code[0]}"
    if name == series.WORST_RATIO.name:
        return "golden"
    for metric, (histogram, stage) in HISTOGRAMS.items():
        if name == f"{histogram}_bucket" and stage in (None, labels.get("stage")):
            return f"{metric} {labels['le']}"
    return ""


def told_values(since: Totals) -> dict[str, Any]:
    """The numbers of a line; nothing where no request has come."""
    counts = {name: since.get(name, 0.0) for name in ("busy", "status 4", "status 5")}
    requests = sum(value for name, value in since.items() if name.startswith("status "))
    requests += counts["busy"]
    if not requests:
        return {}
    values: dict[str, Any] = {
        "Requests": int(requests),
        "Errors4xx": int(counts["status 4"]),
        "Errors5xx": int(counts["status 5"] + counts["busy"]),
        "Busy": int(counts["busy"]),
    }
    for metric in HISTOGRAMS:
        if drawn := middles([since.get(f"{metric} {bound}", 0.0) for bound in bounds()]):
            values[metric] = drawn
    return values


def bounds() -> list[str]:
    """The upper ends of the buckets, as they are written."""
    return [*map(str, series.SECONDS), "+Inf"]


def middles(heaped: Sequence[float]) -> list[float]:
    """At most 100 milliseconds for what is in buckets, each of which counts those below it too."""
    total = int(heaped[-1])
    ends = [0.0, *series.SECONDS, series.SECONDS[-1]]
    count = min(total, MOST_VALUES)
    values = []
    for number in range(count):
        rank = (number + 0.5) * total / count
        place = next(place for place, below in enumerate(heaped) if rank <= below)
        values.append(round(500 * (ends[place] + ends[place + 1]), 3))
    return values


def written(values: Mapping[str, Any], dimensions: Mapping[str, str], seconds: float) -> str:
    """The line."""
    names = list(dimensions)
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [names, names[:1]] if len(names) > 1 else [names],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
    }
    root = {"Timestamp": int(1000 * seconds), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": root, **dimensions, **values}, separators=(",", ":"))
