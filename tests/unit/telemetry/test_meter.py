"""What processes count: together, for ever, within a ceiling, and beside a user's own metrics."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from plumbline.archive import handler_errors
from plumbline.hosting import errors as hosting_errors
from plumbline.telemetry import meter as metering
from plumbline.telemetry import series
from plumbline.telemetry.exposition import Exposition
from plumbline.telemetry.label_values import answer_of, known_answers, outcome_of, route_of
from plumbline.telemetry.meter import Meter, forget, of_mode
from plumbline.web.metrics_api import MOST_MODELS

Sit = Callable[..., Meter]

PATHS = ("/invocations", "/v1/models/a:predict", "/v1/models/a:classify", "/v1/models/b:regress")
STATUSES = (
    *(100, 200, 202, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 418, 422, 429, 499),
    *(500, 501, 503, 504, 507, 599, 999),
)

MANY_PATHS = ("/models/a/invoke", "/models", "/models/a", "/invocations")


def values(meter: Meter) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All series, as Prometheus' own parser reads them."""
    text, _ = Exposition(meter.families).text("")
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


def count(meter: Meter, name: str) -> float:
    return sum(value for (one, _), value in values(meter).items() if one == name)


def test_all_processes_are_counted_whichever_is_asked(sit: Sit) -> None:
    first, second = sit(0), sit(1)
    first.request("/invocations", 200, None, 0.1, 10)
    second.request("/invocations", 200, None, 0.2, 20)
    second.request("/invocations", 503, "server_busy", 0.0, None)

    assert values(first) == values(second)
    assert count(first, "plumbline_requests_total") == 3
    assert count(first, "plumbline_request_bytes_sum") == 30


def test_who_sits_down_where_another_has_died_goes_on_from_its_numbers(
    sit: Sit, folder: Path
) -> None:
    sit(0).request("/invocations", 200, None, 0.1, 10)
    sit(0).set({"places": 4, "requests_inside": 3})
    files = sorted(folder.iterdir())

    successor = sit(0)
    successor.request("/invocations", 200, None, 0.1, 10)

    assert count(successor, "plumbline_requests_total") == 2
    assert count(successor, "plumbline_request_duration_seconds_count") == 2
    assert count(successor, "plumbline_places") == 0, "what it is now begins anew"
    assert sorted(folder.iterdir()) == files


def test_what_a_dead_process_was_no_longer_counts_but_what_it_did_does(
    sit: Sit, folder: Path
) -> None:
    living, dead = sit(0), sit(1)
    living.set({"places": 4})
    dead.set({"places": 4})
    dead.request("/invocations", 200, None, 0.1, 10)
    (folder / "0.pid").write_text("10")
    (folder / "1.pid").write_text("11")

    forget(folder, 11)
    forget(folder, 12)

    assert count(living, "plumbline_places") == 4
    assert count(living, "plumbline_requests_total") == 1


def test_one_of_all_processes_is_the_first_whoever_has_left(sit: Sit, folder: Path) -> None:
    first, second, third = sit(0), sit(1), sit(2)
    assert [one.is_first for one in (first, second, third)] == [True, False, False]

    (folder / "0.pid").write_text("10")
    forget(folder, 10)

    assert [one.is_first for one in (second, third)] == [True, False]
    assert Meter(None, 3).is_first


def test_a_successor_that_sits_there_already_is_not_forgotten(sit: Sit, folder: Path) -> None:
    sit(0)
    (folder / "0.pid").write_text("11")
    successor = sit(0)
    successor.set({"places": 4})

    forget(folder, 11)

    assert count(successor, "plumbline_places") == 4


def drifting() -> tuple[dict[str, tuple[float, ...]], list[str]]:
    """As many buckets and classes as a baseline may have."""
    edges = tuple(float(k) for k in range(1, 10))
    return dict.fromkeys(series.DRIFT_NUMBERS, edges), [f"class {k}" for k in range(20)]


@pytest.mark.parametrize("many", [False, True])
def test_there_are_never_more_series_than_the_ceiling(sit: Sit, many: bool) -> None:
    """Every error and status at every address, a handler's own, and all of a baseline."""
    known = {code for _, code in known_answers()}
    assert {hosting_errors.ModelNotLoaded.code, handler_errors.HandlerFailed.code} < known
    meter = sit(0, many=many)
    paths = (*PATHS, *MANY_PATHS, "/nowhere")
    for path, error, status in itertools.product(paths, (*known, "made up"), STATUSES):
        meter.request(path, status, error, 0.1, 10)
    for one in of_mode(series.GAUGES, many=many):
        meter.set({one.name.removeprefix("plumbline_"): 1})
    if not many:
        buckets, labels = drifting()
        meter.drift(buckets, [*labels, "other"])

    found = values(meter)
    computed = len(of_mode(series.COMPUTED, many=many)) + len(series.ENDS + series.MEMORY)
    looked_up = computed + (25 if many else MOST_MODELS)
    assert len(found) + looked_up <= series.MOST_SERIES
    assert count(meter, "plumbline_requests_total") == len(paths) * (len(known) + 1) * len(STATUSES)


def test_labels_come_from_closed_sets(sit: Sit) -> None:
    meter = sit(0)
    meter.request("/v1/models/ä:predict", 418, "<script>", 0.1, None)
    meter.request("/" + "x" * 5000, 404, "not_found", 0.1, None)
    meter.stages({"input_fn": 3.0, "infer": 2.0})

    found = {
        dict(labels)["route"]: dict(labels)
        for name, labels in values(meter)
        if name == "plumbline_requests_total"
    }
    assert found == {
        "predict": {"route": "predict", "code": "4xx", "error": "other"},
        "other": {"route": "other", "code": "404", "error": "not_found"},
    }
    assert count(meter, "plumbline_stage_duration_seconds_count") == 1


@pytest.mark.parametrize(
    ("path", "one", "many"),
    [
        ("/invocations", "invocations", "invocations"),
        ("/v1/models/m:predict", "predict", "other"),
        ("/v1/models/m/versions/3:classify", "classify", "other"),
        ("/v1/models/m/metadata", "other", "other"),
        ("/models", "other", "models"),
        ("/models/m", "other", "models"),
        ("/models/a/b/invoke", "other", "invoke"),
        ("/x:predict", "other", "other"),
    ],
)
def test_addresses_are_told_by_their_kind(path: str, one: str, many: str) -> None:
    assert (route_of(path, many=False), route_of(path, many=True)) == (one, many)


def test_outcomes_are_told_by_the_status() -> None:
    said = {status: outcome_of(status) for status in (200, 400, 499, 500, 502, 503, 507)}
    assert said == {
        200: "ok",
        400: "refused",
        499: "refused",
        500: "failed",
        502: "failed",
        503: "busy",
        507: "busy",
    }


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (200, "", ("200", "")),
        (202, "", ("2xx", "")),
        (999, "", ("5xx", "")),
        (415, "image_format_refused", ("415", "image_format_refused")),
        (418, "image_format_refused", ("4xx", "other")),
        (404, "not_found", ("404", "not_found")),
        (418, "im_a_teapot", ("4xx", "other")),
        (422, "handler_refused", ("422", "handler_refused")),
        (418, "handler_refused", ("4xx", "handler_refused")),
        (504, "handler_failed", ("5xx", "handler_failed")),
        (507, "not_enough_memory", ("507", "not_enough_memory")),
        (500, "golden_mismatch", ("5xx", "other")),
        (200, "made_up", ("4xx", "other")),
    ],
)
def test_answers_are_told_by_status_and_error_where_those_are_known(
    status: int, error: str, told: tuple[str, str]
) -> None:
    assert answer_of(status, error, known_answers()) == told


def test_metrics_of_a_users_code_stay_its_own(sit: Sit, folder: Path) -> None:
    meter = sit(0)
    own = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("theirs_total", "Of a handler.", registry=own).inc()
    meter.request("/invocations", 400, "bad_request", 0.1, 1)

    assert own.get_sample_value("theirs_total") == 1
    assert "theirs" not in Exposition(meter.families).text("")[0].decode()
    assert not [file for file in folder.iterdir() if b"theirs" in file.read_bytes()]


def test_where_the_disk_has_no_room_a_process_counts_for_itself(
    sit: Sit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(metering.os, "posix_fallocate", full)

    meter = sit(0)
    meter.request("/invocations", 200, None, 0.1, 10)

    assert meter.folder is None
    assert count(meter, "plumbline_requests_total") == 1
    assert not [file for file in folder.iterdir() if file.suffix == ".db"]


def test_files_have_their_blocks_from_the_beginning(sit: Sit, folder: Path) -> None:
    sit(0)

    for file in folder.glob("*.db"):
        assert 512 * file.stat().st_blocks >= file.stat().st_size > 0


def test_pictures_are_counted_one_by_one(sit: Sit) -> None:
    meter = sit(0)
    meter.pictures(3, 2, None)
    meter.pictures(0, 0, "not_an_image")
    meter.pictures(0, 0, "server_busy")

    found = {
        dict(labels).get("result"): value
        for (name, labels), value in values(meter).items()
        if name == "plumbline_pictures_total"
    }
    assert found == {"ok": 3, "refused": 3}


def test_a_scrape_is_never_older_than_the_question(sit: Sit) -> None:
    """Two processes' answers one after the other must not fall."""
    first, second = sit(0), sit(1)
    expositions = [Exposition(first.families), Exposition(second.families)]
    for number in range(1, 6):
        (first if number % 2 else second).request("/invocations", 200, None, 0.1, 1)
        text = expositions[number % 2].text("")[0].decode()
        assert f'route="invocations"}} {number}.0' in text


def test_pictures_are_counted_by_all_processes_together(sit: Sit) -> None:
    buckets, labels = drifting()
    for seat in (0, 1):
        numbers, classes = sit(seat).drift(buckets, labels)
        numbers["brightness"].observe(2.5)
        classes[3].inc()

    successor = sit(1)
    successor.drift(buckets, labels)

    assert count(successor, "plumbline_input_brightness_count") == 2
    found = values(successor)
    assert found["plumbline_input_brightness_bucket", (("le", "3.0"),)] == 2
    assert found["plumbline_input_brightness_bucket", (("le", "2.0"),)] == 0
    assert found["plumbline_predicted_total", (("class", "class 3"),)] == 2
