"""The metrics as Prometheus itself finds them: its promtool, and a scrape while a process dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gunicorn_server import Server, held_port, wait_until
from scraped import Serve

pytestmark = pytest.mark.prometheus

CONFIGURATION = """
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
scrape_configs:
  - job_name: plumbline
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""

COUNTERS = (
    "plumbline_requests_total",
    "plumbline_pictures_total",
    "plumbline_request_duration_seconds_bucket",
    "plumbline_request_duration_seconds_sum",
    "plumbline_stage_duration_seconds_count",
    "plumbline_request_bytes_sum",
    "plumbline_worker_ends_total",
)

Query = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[[Server], Query]]:
    """Have a server scraped by Prometheus; `watched(server)` is what asks it, as in `ask("up")`."""
    started: list[subprocess.Popen[bytes]] = []

    def watch(server: Server) -> Query:
        file = tmp_path / "prometheus.yml"
        file.write_text(CONFIGURATION.format(port=server.port))
        with held_port() as port:
            pass
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'db'}"]
        address = f"127.0.0.1:{port}"
        with (tmp_path / "prometheus.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [*command, f"--web.listen-address={address}"], stdout=log, stderr=log
                )
            )

        def ask(query: str) -> list[dict[str, Any]]:
            said = urllib.parse.quote(query)
            try:
                with urllib.request.urlopen(
                    f"http://{address}/api/v1/query?query={said}", timeout=30
                ) as answer:
                    found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            except urllib.error.HTTPError as exc:
                if exc.code != 503:  # which it says while it starts
                    raise
                return []
            except OSError:  # it does not listen yet
                return []
            return found

        return ask

    yield watch
    for process in started:
        process.terminate()
        process.wait(30)


def values(found: list[dict[str, Any]]) -> list[float]:
    """The numbers of the series."""
    return [float(one["value"][1]) for one in found]


def until(ask: Query, query: str, number: float) -> None:
    """Wait until Prometheus says so."""
    wait_until(lambda: values(ask(query)) == [number])


def test_promtool_finds_nothing_to_complain_of(serve: Serve, picture: bytes) -> None:
    server = serve("together=True", PLUMBLINE_WORKERS="2")
    server.invoke(picture)
    server.invoke(b"no picture")

    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=server.ask("GET", "/metrics").body,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prometheus_sees_no_counter_fall_while_a_process_is_killed(
    serve: Serve, watched: Callable[[Server], Query], picture: bytes
) -> None:
    server = serve("together=True", PLUMBLINE_WORKERS="2")
    ask = watched(server)
    until(ask, "up", 1)
    answered = 0

    for killed in (1, 2):
        for _ in range(20):
            answered += server.invoke(picture).status == 200
        until(ask, "sum(plumbline_requests_total)", answered)
        os.kill(server.workers()[-1], signal.SIGKILL)
        until(ask, "sum(plumbline_worker_ends_total)", killed)
        until(ask, "plumbline_workers_ready", 2)

    assert values(ask("sum(plumbline_requests_total)")) == [answered]
    for counter in COUNTERS:
        fell = values(ask(f"resets({counter}[10m])"))
        assert fell, counter
        assert not any(fell), counter
    assert values(ask("histogram_quantile(0.5, plumbline_request_duration_seconds_bucket)"))
    assert values(ask("scrape_samples_scraped"))[0] <= 600
