"""Lines for CloudWatch, held against the limits that AWS's own library has for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_embedded_metrics import constants, validator
from aws_embedded_metrics.storage_resolution import StorageResolution
from aws_embedded_metrics.unit import Unit

from plumbline.telemetry.embedded import Embedded, middles
from plumbline.telemetry.meter import Meter

WHO = {"Endpoint": "digits", "Variant": "AllTraffic"}

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def read(line: str | None) -> dict[str, Any]:
    """The line, which AWS's library must have nothing to complain of."""
    assert line is not None
    assert "\n" not in line
    document: dict[str, Any] = json.loads(line)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    validator.validate_namespace(directive["Namespace"])
    assert document["_aws"]["Timestamp"] == 1000 * int(NOW.timestamp())
    for names in directive["Dimensions"]:
        assert names
        validator.validate_dimension_set({name: document[name] for name in names})
    assert 0 < len(directive["Metrics"]) <= constants.MAX_METRICS_PER_EVENT
    for metric in directive["Metrics"]:
        value = document[metric["Name"]]
        points = value if isinstance(value, list) else [value]
        assert 0 < len(points) <= constants.MAX_DATAPOINTS_PER_METRIC
        for point in points:
            unit = Unit(metric["Unit"]).value
            validator.validate_metric(metric["Name"], point, unit, StorageResolution.STANDARD, {})
    return document


@pytest.fixture
def line(folder: Path) -> Callable[..., str | None]:
    """What is told of a meter: `line(meter)`."""

    def told(meter: Meter, saturations: tuple[float, ...] = ()) -> str | None:
        embedded = Embedded(WHO, folder / "told.json")
        return embedded.line(meter.families(), saturations, NOW.timestamp())

    return told


def test_a_line_tells_what_has_happened_since_the_last_whoever_wrote_that(sit, line) -> None:
    meter, other = sit(0), sit(1)
    for _ in range(3):
        meter.request("/invocations", 200, None, 0.02, 10)
    other.request("/invocations", 400, "not_an_image", 0.001, 10)
    other.request("/invocations", 503, "server_busy", 0.001, 10)
    meter.stages({"wait": 3.0, "infer": 20.0})
    meter.set({"golden_pictures": 3, "golden_worst_ratio": 0.25})

    first = read(line(meter, (50.0, 25.0)))
    meter.request("/invocations", 500, "internal_error", 0.3, 10)
    second = read(line(other))

    assert {name: first[name] for name in ("Requests", "Errors4xx", "Errors5xx", "Busy")} == {
        "Requests": 5,
        "Errors4xx": 1,
        "Errors5xx": 1,
        "Busy": 1,
    }
    assert first["LatencyMs"] == [0.75, 0.75, 17.5, 17.5, 17.5]
    assert (first["WaitMs"], first["InferMs"]) == ([3.75], [17.5])
    assert first["SaturationPercent"] == [50.0, 25.0]
    assert first["GoldenWorstRatio"] == second["GoldenWorstRatio"] == 0.25
    assert {name: first[name] for name in WHO} == WHO
    assert (second["Requests"], second["Errors5xx"], second["LatencyMs"]) == (1, 1, [375.0])
    assert "WaitMs" not in second


def test_a_great_many_values_are_told_by_a_hundred_that_lie_like_them(sit, line) -> None:
    meter = sit(0)
    for number in range(1000):
        meter.request("/invocations", 200, None, 0.003 if number % 4 else 0.6, 10)

    told = read(line(meter, tuple(map(float, range(300)))))

    assert told["LatencyMs"] == [3.75] * 75 + [750.0] * 25
    assert told["SaturationPercent"] == [float(number) for number in range(200, 300)]


def test_where_nothing_has_happened_there_is_no_line(sit, line) -> None:
    assert line(sit(0)) is None


def test_an_infinite_ratio_is_told_as_a_number(sit, line) -> None:
    meter = sit(0)
    meter.set({"golden_pictures": 1, "golden_worst_ratio": float("inf")})

    assert read(line(meter))["GoldenWorstRatio"] == 1e9


def test_a_process_without_a_folder_keeps_to_itself_what_it_has_told() -> None:
    meter, embedded = Meter(None, 0), Embedded({"Endpoint": "digits"}, None)
    meter.request("/invocations", 200, None, 100.0, 10)
    first = read(embedded.line(meter.families(), (), NOW.timestamp()))

    assert (first["Requests"], first["LatencyMs"]) == (1, [60000.0])
    assert embedded.line(meter.families(), (), NOW.timestamp()) is None


def test_a_damaged_note_of_what_was_told_does_no_harm(sit, folder: Path) -> None:
    meter = sit(0)
    meter.request("/invocations", 200, None, 0.1, 10)
    (folder / "told.json").write_text("{")

    told = Embedded(WHO, folder / "told.json").line(meter.families(), (), NOW.timestamp())

    assert read(told)["Requests"] == 1


def test_middles_of_no_values_are_none() -> None:
    assert middles([0.0] * 17) == []
