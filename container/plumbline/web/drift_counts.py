"""Pictures that are answered → the metrics that tell whether they are still of the usual kind."""

from __future__ import annotations

from plumbline.drift.baseline import Baseline
from plumbline.drift.looks import Look
from plumbline.drift.picture_summary import said
from plumbline.pipeline.inference import Tally
from plumbline.results.task_results import Result
from plumbline.telemetry.label_values import OTHER
from plumbline.telemetry.meter import Meter


def counting(meter: Meter, usual: Baseline) -> Tally:
    """What counts a picture in the buckets, and under the classes, of an archive's baseline."""
    buckets = {name: one.edges for name, one in usual.numbers.items()}
    labels = [one.label for one in usual.classes]
    numbers, counters = meter.drift(buckets, [*labels, OTHER] if labels else [])
    classes = {one.class_id: count for one, count in zip(usual.classes, counters, strict=False)}
    other = counters[-1] if counters else None

    def tally(look: Look | None, result: Result) -> None:
        seen = said(result).with_look(look)
        for name, value in seen.numbers.items():
            known = numbers.get(name)
            if known:
                known.observe(value)
        if other:
            for index, _, weight in seen.classes:
                classes.get(index, other).inc(weight)

    return tally
