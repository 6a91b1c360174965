"""`plumbline bench` against real servers."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from gunicorn_server import Server, held_port, wait_until

from plumbline.cli import main

DELAY = 0.05

NARROW = {"PLUMBLINE_WORKERS": "1", "PLUMBLINE_SLOTS": "1", "PLUMBLINE_QUEUE": "0"}


@pytest.fixture
def bench(tmp_path: Path, picture: bytes) -> Any:
    """Measure: `bench(server, "--seconds", 1)`; what it said, and the file."""
    file, out = tmp_path / "picture.png", tmp_path / "bench.json"
    file.write_bytes(picture)

    def run(target: object, *options: object) -> tuple[Result, dict[str, Any]]:
        told = [target, "--picture", file, "--seconds", 1, "--out", out, *options]
        done = CliRunner().invoke(main, ["bench", *map(str, told)])
        return done, json.loads(out.read_text()) if out.exists() else {}

    return run


def url(server: Server) -> str:
    """Where it listens."""
    return f"http://127.0.0.1:{server.port}"


def test_the_figures_are_those_of_the_server(serve: Any, bench: Any) -> None:
    delay = 0.1
    server = serve(f"delay={delay}", PLUMBLINE_WORKERS="1", PLUMBLINE_SLOTS="2")

    done, found = bench(url(server), "--connections", "4,1,2", "--p95", 5000)

    assert done.exit_code == 0, done.output
    assert [run["connections"] for run in found["runs"]] == [1, 2, 4]
    for run, at_once in zip(found["runs"], (1, 2, 2), strict=True):
        most = at_once / delay
        assert 0 < run["requests_per_second"] <= 1.2 * most
        assert run["p50_ms"] >= 0.9 * 1000 * delay * run["connections"] / at_once
        assert run["p50_ms"] <= run["p90_ms"] <= run["p95_ms"] <= run["p99_ms"]
        assert run["errors"] == 0
        assert 0 < run["client_cores"] < 1.5
    assert found["sustained"] in found["runs"][1:]
    assert found["machine"]["cores"] > 0
    assert f"{found['sustained']['requests_per_second']:.1f} requests a second" in done.stderr


def test_a_load_with_refusals_does_not_count(shared: Any, bench: Any) -> None:
    server = shared(f"delay={DELAY}", **NARROW)

    done, found = bench(url(server), "--connections", "1,4", "--p95", 5000)

    alone, crowded = found["runs"]
    assert crowded["errors"] == crowded["reasons"]["server_busy"] > 0
    assert found["sustained"] == alone
    assert "server_busy" in done.stdout


def test_what_is_too_slow_is_said_and_fails(shared: Any, bench: Any) -> None:
    server = shared(f"delay={DELAY}", **NARROW)

    done, found = bench(url(server), "--connections", 1, "--p95", 20)

    assert done.exit_code == 1
    assert "Under no load" in done.stderr
    assert found["sustained"] is None
    assert found["runs"][0]["requests"] > 0


def test_a_server_that_goes_away_is_counted_and_does_not_hang(serve: Any, bench: Any) -> None:
    server = serve("delay=0.1")

    def die() -> None:
        """Soon after warming up, in which two connections get at most ten answers."""
        wait_until(lambda: server.said().count("POST /invocations") >= 12)
        os.killpg(server.process.pid, signal.SIGKILL)

    with ThreadPoolExecutor() as pool:
        death = pool.submit(die)
        done, found = bench(url(server), "--connections", 2, "--seconds", 3)
        death.result()

    assert done.exit_code == 1
    assert found["runs"][0]["requests"] > 0
    assert found["runs"][0]["reasons"]["no_answer"] > 0
    assert found["sustained"] is None


def test_where_nobody_listens_nothing_is_measured(bench: Any) -> None:
    with held_port() as port:
        done, found = bench(f"http://127.0.0.1:{port}")

    assert (done.exit_code, found) == (1, {})
    assert "There is no response from" in done.stderr


def test_a_picture_that_is_refused_is_not_measured(shared: Any, bench: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")

    done, found = bench(url(shared(f"delay={DELAY}", **NARROW)), "--picture", broken)

    assert (done.exit_code, found) == (1, {})
    assert "not a picture" in done.stderr


def test_an_archive_that_can_not_be_served_ends_with_the_server_s_reason(
    bench: Any, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()

    done, found = bench(tmp_path / "model")

    assert (done.exit_code, found) == (1, {})
    assert "could not be served" in done.stderr
    assert "The model failed to load" in done.stderr


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ("model.tar.gz", (), "is no file or folder here"),
        ("ftp://example.com", (), "is no URL"),
        ("http://127.0.0.1:9", ("--connections", "0,4"), "from 1 to 1024"),
        ("http://127.0.0.1:9", ("--connections", "many"), "from 1 to 1024"),
    ],
)
def test_what_makes_no_sense_is_refused(
    target: str, options: tuple[str, ...], expected: str, bench: Any
) -> None:
    done, _ = bench(target, *options)

    assert done.exit_code == 2
    assert expected in done.stderr
