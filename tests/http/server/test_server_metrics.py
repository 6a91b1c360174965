"""GET /metrics of real processes: together, while they load, die, are full, or can't write."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from gunicorn_server import Server, wait_until
from handler_archives import archive
from many_models import many_models
from prometheus_client.openmetrics import parser as openmetrics
from scraped import Samples, Serve, scrape, total

from plumbline.drift import baseline
from plumbline.drift.picture_summary import Observation, Share

REQUESTS = "plumbline_requests_total"

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def answered(server: Server) -> float:
    return total(scrape(server), REQUESTS, code="200")


def test_a_scrape_tells_of_all_processes(serve: Serve, picture: bytes) -> None:
    before = time.time()
    server = serve("together=True", PLUMBLINE_WORKERS="2", PLUMBLINE_SLOTS="3", PLUMBLINE_QUEUE="5")
    for _ in range(20):
        assert server.invoke(picture).status == 200
    server.invoke(b"no picture")
    server.ask("GET", "/nowhere")
    wait_until(lambda: total(scrape(server), "plumbline_workers_ready") == 2)

    found = scrape(server)

    assert total(found, REQUESTS, route="invocations", code="200", error="") == 20
    assert total(found, REQUESTS, route="invocations", code="400", error="not_an_image") == 1
    assert total(found, REQUESTS, route="other", code="404", error="not_found") == 1
    assert total(found, REQUESTS) == 22, "neither pings nor scrapes are counted"
    assert total(found, "plumbline_request_duration_seconds_count", outcome="ok") == 20
    assert total(found, "plumbline_stage_duration_seconds_count", stage="infer") == 20
    assert total(found, "plumbline_request_bytes_sum") == 20 * len(picture) + len(b"no picture")
    assert total(found, "plumbline_pictures_total", result="ok") == 20
    assert total(found, "plumbline_pictures_total", result="refused") == 1
    assert total(found, "plumbline_places") == 2 * (3 + 5)
    assert total(found, "plumbline_slots_free") == 2 * 3
    assert total(found, "plumbline_requests_inside") == 0
    assert total(found, "plumbline_ready") == 1
    assert total(found, "plumbline_metrics_partial") == 0
    assert total(found, "plumbline_model_info", engine="fake", task="classification") == 1
    said = datetime.fromisoformat(json.loads(server.said().partition("\n")[0])["time"])
    assert before - 1 <= total(found, "process_start_time_seconds") <= said.timestamp()


def test_counters_never_fall_when_a_process_is_killed_under_load(
    serve: Serve, picture: bytes, crowd: Callable
) -> None:
    server = serve("together=True", PLUMBLINE_WORKERS="2")
    for _ in range(10):
        server.invoke(picture)
    last, killed = scrape(server), 3

    for number in range(killed):
        os.kill(server.workers()[-1], signal.SIGKILL)
        sent = crowd(8, server.try_to_invoke, picture)
        scraped = crowd(10, server.ask, "GET", "/metrics")
        assert any(one.result() for one in sent)
        assert {one.result().status for one in scraped if not one.exception()} == {200}
        wait_until(partial(has_begun, server, 3 + number))
        found = wait_until(partial(settled, server))
        assert not fallen(last, found)
        last = found

    assert total(last, "plumbline_worker_ends_total", reason="killed") == killed
    assert total(last, "plumbline_worker_ends_total") == killed
    assert len(list(folder_of(server).glob("*.db"))) == 2 * len(
        {file.name.rpartition("_")[0] for file in folder_of(server).glob("*.db")}
    ), "there are no more files than seats"


def has_begun(server: Server, workers: int) -> bool:
    """Whether so many processes have been started."""
    return len(server.workers()) == workers


def settled(server: Server) -> Samples | None:
    """The metrics, once two processes can answer."""
    found = scrape(server)
    return found if total(found, "plumbline_workers_ready") == 2 else None


def fallen(before: Samples, after: Samples) -> dict[object, tuple[float, float]]:
    """The counters, parts of histograms among them, that are less than they were."""
    return {
        (name, labels): (value, after.get((name, labels), -1))
        for (name, labels), value in before.items()
        if re.search(r"_(total|bucket|count|sum)$", name) and name != "plumbline_cpu_seconds_total"
        if after.get((name, labels), -1) < value
    }


def folder_of(server: Server) -> Path:
    """Where the processes keep their values."""
    for pid in reversed(server.workers()):
        maps = Path(f"/proc/{pid}/maps")
        if maps.exists() and (found := re.search(r"(/\S*/metrics)/counter_\d", maps.read_text())):
            return Path(found[1])
    raise AssertionError("no process has such files")


def test_a_server_that_loads_or_has_failed_answers(start: Serve, tmp_path: Path) -> None:
    server = start(f"together=True, failure='no such layer', loads_after={str(tmp_path / 'go')!r}")
    wait_until(lambda: "The model fake is loading." in server.said())

    assert total(scrape(server), "plumbline_ready") == 0

    (tmp_path / "go").touch()
    wait_until(lambda: "no such layer" in server.said())
    found = scrape(server)
    assert total(found, "plumbline_ready") == total(found, "plumbline_workers_ready") == 0


def test_a_full_server_answers_and_writes_no_line(
    serve: Serve, picture: bytes, fill: Callable, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    server = serve(
        f"together=True, answers_after={str(go)!r}", PLUMBLINE_SLOTS="1", PLUMBLINE_QUEUE="2"
    )
    sent = fill(server, 3)
    wait_until(lambda: total(scrape(server), "plumbline_requests_waiting") == 2)

    found = scrape(server)

    assert total(found, "plumbline_requests_inside") == total(found, "plumbline_places") == 3
    assert total(found, "plumbline_slots_free") == 0
    assert total(found, REQUESTS, code="503", error="server_busy") == 1
    go.touch()
    assert {one.result().status for one in sent} == {200}
    assert "/metrics" not in server.said()


def test_without_a_folder_a_process_tells_of_itself_and_says_so(
    serve: Serve, picture: bytes
) -> None:
    server = serve()
    server.invoke(picture)

    found = scrape(server)

    assert total(found, "plumbline_metrics_partial") == 1
    assert total(found, REQUESTS, code="200") == 1
    assert not [name for name, _ in found if name.endswith("_created")]


def test_open_metrics_are_given_to_who_asks_for_them(serve: Serve, picture: bytes) -> None:
    server = serve("together=True")
    server.invoke(picture)

    for accept in ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text;x"):
        answer = server.ask("GET", "/metrics", Accept=accept)
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1")
        names = {
            one.name for one in openmetrics.text_string_to_metric_families(answer.body.decode())
        }
        assert "plumbline_requests" in names


def test_many_models_are_counted_without_their_names(tmp_path: Path) -> None:
    with many_models(tmp_path) as many:
        many.loaded("a", number=1)
        many.loaded("b", number=2)
        many.load("a", many.make("a", number=1))
        many.load("broken", many.make("broken", failure="no such layer"))
        many.invoke("a")
        many.invoke("b")
        many.unload("b")

        found = scrape(many.server)

        assert total(found, "plumbline_models_loaded") == 1
        loads = {
            outcome: total(found, "plumbline_model_loads_total", outcome=outcome)
            for outcome in ("ok", "409", "507", "refused", "timed_out")
        }
        assert loads == {"ok": 2, "409": 1, "507": 0, "refused": 1, "timed_out": 0}
        assert total(found, "plumbline_model_load_seconds_count") == 4
        assert total(found, "plumbline_model_unloads_total") == 1
        assert total(found, REQUESTS, route="invoke", code="200") == 2
        assert not [labels for _, labels in found if "model" in dict(labels)]


def test_the_busiest_of_many_models_are_told_by_name_where_that_is_wanted(tmp_path: Path) -> None:
    with many_models(tmp_path, PLUMBLINE_METRICS_MODELS="1") as many:
        many.loaded('quiet"', number=1)
        many.loaded("busy", number=2)
        scrape(many.server)
        for name, count in (('quiet"', 1), ("busy", 3)):
            for _ in range(count):
                many.invoke(name)

        scrape(many.server)  # from here on `busy` has a name of its own
        many.invoke("busy")
        found = scrape(many.server)

        named = "plumbline_model_requests_total"
        assert total(found, named) == 5
        assert total(found, named, model="busy") >= 1
        assert {dict(labels)["model"] for name, labels in found if name == named} == {
            "busy",
            "other",
        }


def lines_of(server: Server) -> list[dict[str, object]]:
    """The log from the first request on."""
    return [json.loads(line) for line in server.said().splitlines() if line.startswith("{")]


def test_a_trace_reaches_every_line_of_its_request(serve: Serve, picture: bytes) -> None:
    server = serve("together=True, breaks=True")
    ways = (
        {"traceparent": TRACE},
        {"X-Amzn-SageMaker-Custom-Attributes": f"top_k=3,traceparent={TRACE}"},
        {"X-Amzn-SageMaker-Inference-Id": TRACE},
    )
    for headers in ways:
        assert server.ask("POST", "/invocations", picture, **headers).status == 500
    server.invoke(picture)

    said = [line for line in lines_of(server) if "trace_id" in line]

    assert len(said) == 2 * len(ways), "the error, and the line of the request"
    assert {line["trace_id"] for line in said} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert {line["span_id"] for line in said} == {"00f067aa0ba902b7"}


def test_a_trace_reaches_the_process_of_one_of_many_models(tmp_path: Path) -> None:
    with many_models(tmp_path) as many:
        many.loaded("a", number=1)

        many.invoke("a", -5, traceparent=TRACE)  # the model fails

        said = [line for line in lines_of(many.server) if "trace_id" in line]
        assert [line for line in said if line.get("model") == "a" and "traceback" in line]


def test_stages_are_told_in_the_header_where_that_is_wanted(
    shared: Serve, serve: Serve, picture: bytes
) -> None:
    told = serve(PLUMBLINE_SERVER_TIMING="true").invoke(picture).headers["Server-Timing"]
    spent = dict(part.split(";dur=") for part in told.split(", "))

    assert list(spent)[-1] == "total"
    assert {"wait", "decode", "infer"} <= set(spent)
    assert sum(map(float, spent.values())) <= 2 * float(spent["total"])
    assert "Server-Timing" not in shared().invoke(picture).headers


def test_pictures_are_counted_by_what_was_usual_when_the_archive_was_packed(
    serve: Serve, picture: bytes, tmp_path: Path
) -> None:
    root = archive(tmp_path / "model", "dangerous")
    shutil.rmtree(root / "code")
    seen = [Observation({"brightness": 0.0, "megapixels": 1000.0}, [Share(99, "cat", 1.0)])]
    baseline.write(root, baseline.of("classification", seen))
    server = serve(
        "handled=True, together=True", PLUMBLINE_MODEL_DIR=str(root), PLUMBLINE_WORKERS="2"
    )
    for _ in range(5):
        assert server.invoke(picture).status == 200

    found = scrape(server)

    assert total(found, "plumbline_input_brightness_count") == 5
    assert total(found, "plumbline_input_brightness_bucket", le="0.0") == 0
    assert total(found, "plumbline_input_megapixels_bucket", le="999.9") == 5
    assert total(found, "plumbline_predicted_total", **{"class": "other"}) == 5
    assert total(found, "plumbline_predicted_total", **{"class": "cat"}) == 0
    assert total(found, "plumbline_detections_count") == -1
