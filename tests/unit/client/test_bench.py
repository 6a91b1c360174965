"""What `plumbline bench` makes of what it measured."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from plumbline.client.base import Server
from plumbline.client.bench import Order, document, sustained
from plumbline.client.load_generator import Run, Shot, summed_up, turned

TIMES = some.lists(some.floats(0.001, 60), min_size=2, max_size=200)


@given(TIMES)
def test_the_percentiles_are_those_of_the_standard_library(seconds: list[float]) -> None:
    run = summed_up([Shot(1, each, "") for each in seconds], 4, 10, 1)

    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    for each, found in run.latencies.items():
        assert found == pytest.approx(1000 * cuts[each - 1])
    assert run.rate == len(seconds) / 10


def test_errors_are_counted_by_their_code_and_have_no_latency() -> None:
    shots = [Shot(1, 0.5, ""), Shot(2, 9, "server_busy"), Shot(3, 9, "server_busy")]

    run = summed_up([*shots, Shot(4, 9, "no_answer")], 4, 2, 0.5)

    assert (run.requests, run.rate) == (1, 0.5)
    assert run.errors == {"server_busy": 2, "no_answer": 1}
    assert set(run.latencies.values()) == {500}
    assert run.client_cores == 0.25


def test_where_nothing_was_answered_there_is_no_latency() -> None:
    assert not summed_up([], 1, 10, 0).within(1e9)


def run_of(rate: float, p95: float, errors: int = 0) -> Run:
    """One load's figures."""
    wrong = {"server_busy": errors} if errors else {}
    return Run(1, round(10 * rate), wrong, 10, {50: 1, 90: 1, 95: p95, 99: p95}, 0.1)


def test_the_fastest_counts_of_those_that_answered_everything_in_time() -> None:
    slow, good, late, refusing = (
        run_of(50, 20),
        run_of(90, 200),
        run_of(120, 201),
        run_of(150, 9, 1),
    )

    assert sustained([slow, good, late, refusing], p95=200) == good
    assert sustained([slow, good, late, refusing], p95=250) == late
    assert sustained([late, refusing], p95=200) is None


def test_every_key_of_the_file_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/using.md").read_text("utf-8")
    order = Order((Path("cat.jpg"),), (1,), 10, 250)
    found = document(Server("http://127.0.0.1:8080"), "model.tar.gz", order, [run_of(50, 20)])

    keys = {*found, *found["runs"][0], *found["sustained"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


def test_each_connection_begins_with_another_picture() -> None:
    firsts = [next(turned([b"a", b"b", b"c"], number)) for number in range(4)]

    assert firsts == [b"a", b"b", b"c", b"a"]
