"""Pictures that are answered are counted in the buckets and classes of the archive's baseline."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from PIL import Image

from plumbline.drift import baseline
from plumbline.drift.baseline import Baseline
from plumbline.drift.looks import Look
from plumbline.drift.picture_summary import Observation, said
from plumbline.engines.fake import FakeEngine
from plumbline.errors import NotAnImage
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.results.task_results import Result
from plumbline.spec.model_spec import ModelSpec, Preprocess
from plumbline.tasks.task_table import make_task
from plumbline.telemetry.meter import Meter
from plumbline.vision.images import Limits
from plumbline.web.drift_counts import counting
from plumbline.wire.requests import Request


def pipeline() -> Pipeline:
    spec = ModelSpec(preprocess=Preprocess(normalize="unit"))
    engine, task = FakeEngine(), make_task(spec, tuple("abcdefghij"))
    task.fit(engine.signature)
    return Pipeline(spec, engine, task, Limits(), 4)


def flat(level: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (90, 70), (level, level, level)).save(stream, "PNG")
    return stream.getvalue()


def ask(served: Pipeline, *pictures: bytes) -> None:
    rows = [{"b64": base64.b64encode(each).decode()} for each in pictures]
    body = json.dumps({"instances": rows}).encode()
    served(Request(body, "application/json"), lambda: 10.0, Stopwatch())


def usual(levels: Iterable[int]) -> Baseline:
    """The baseline of such pictures, as packing makes it."""
    seen: list[Observation] = []

    def tally(look: Look | None, result: Result) -> None:
        seen.append(said(result).with_look(look))

    for level in levels:
        ask(replace(pipeline(), tally=tally), flat(level))
    return baseline.of("classification", seen)


def values(meter: Meter, name: str) -> dict[str, float]:
    """A metric's samples, by the value of their label."""
    return {
        "".join(one.labels.values()): one.value
        for family in meter.families()
        for one in family.samples
        if one.name == name
    }


def test_what_is_usual_lies_between_the_outer_buckets_and_what_is_not_beyond() -> None:
    meter = Meter(None, 0)
    served = replace(pipeline(), tally=counting(meter, usual(range(50, 100))))

    ask(served, flat(60), flat(90))
    ask(served, flat(255))

    brightness = values(meter, "plumbline_input_brightness_bucket")
    lowest, *_, highest, everything = brightness.values()
    assert (lowest, highest, everything) == (0, 2, 3)
    assert values(meter, "plumbline_top_score_count") == {"": 3}
    predicted = values(meter, "plumbline_predicted_total")
    assert {name: count for name, count in predicted.items() if count} == {
        "c": 1,
        "d": 1,
        "other": 1,
    }


def test_pictures_that_are_refused_and_tensors_are_not_counted() -> None:
    meter = Meter(None, 0)
    served = replace(pipeline(), tally=counting(meter, usual([50])))

    with pytest.raises(NotAnImage):
        ask(served, b"no picture")
    tensors = json.dumps({"instances": [[[[0.0] * 3] * 32] * 32]}).encode()
    served(Request(tensors, "application/json"), lambda: 10.0, Stopwatch())

    assert values(meter, "plumbline_input_brightness_count") == {"": 0}


def test_an_archive_that_knows_only_some_quantities_has_metrics_of_these() -> None:
    meter = Meter(None, 0)
    known = baseline.of("raw", [Observation({"megapixels": 0.5})])
    served = replace(pipeline(), tally=counting(meter, known))

    ask(served, flat(60))

    assert values(meter, "plumbline_input_megapixels_count") == {"": 1}
    assert not values(meter, "plumbline_input_brightness_count")
    assert not values(meter, "plumbline_predicted_total")
