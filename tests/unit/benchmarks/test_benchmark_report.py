"""Medians, targets, tables and plot, from results that are stored."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import contenders
import measure
import plot
import report
import summary
from models import MODELS

RATES = {
    "plumbline": (100.0, 300.0, 290.0),
    "plumbline-99.5": (110.0, 320.0, 310.0),
    "plumbline-98": (120.0, 450.0, 440.0),
    "aws": (50.0, 80.0, 40.0),
    "ray": (20.0, 100.0, 90.0),
}
MEMORY = {"aws": 1000e6, "ray": 1400e6}
POSITIVE = st.floats(1e-3, 1e6)


def load(connections: int, rate: float, picture: str = "640x480") -> dict[str, Any]:
    """A load in results.json."""
    latency = 1000 * connections / rate
    figures = {"p50": latency, "p90": 2 * latency, "p99": 3 * latency, "cpu": 0.002}
    return {
        "connections": connections,
        "picture": picture,
        "rate": rate,
        "errors": 0,
        "client": 0.02,
        **figures,
    }


def run(name: str, number: int, model: str) -> dict[str, Any]:
    """A contender's run; the middle one of three rounds has the known rates."""
    loads = [
        load(count, rate * (0.5 + number / 2))
        for count, rate in zip((1, 16, 64), RATES[name], strict=True)
    ]
    return {
        "round": number,
        "model": model,
        "contender": name,
        "memory": MEMORY.get(name, 250e6),
        "first_answer": 1.5,
        "form": "int8" if name == "plumbline-98" else "",
        "loads": [*loads, load(16, 7.0, "12MP")],
        "stages": {"wait": 50.0, "infer": 30.0, "decode": 10.0, "total": 100.0},
    }


@pytest.fixture
def said() -> dict[str, Any]:
    """A results.json of three rounds with one model."""
    model = "mobilenet-v2"
    runs = [run(name, number, model) for number in range(3) for name in RATES]
    missing = {"round": 0, "model": model, "contender": "mlserver", "reason": "no | wheel"}
    bare = {"round": 0, "model": model, "limit": "openvino", "rates": {"1": 150.0, "2": 320.0}}
    unmade = {"round": 0, "model": model, "limit": "tensorflow", "reason": "no TensorFlow"}
    named = {name: name in ("aws", "mlserver", "ray") for name in (*RATES, "mlserver")}
    return {
        "machine": "2 cores",
        "plan": {"rounds": 3, "seconds": 4, "connections": [1, 16, 64]},
        "models": {model: "MobileNetV2"},
        "limits": {"openvino": "bare OpenVINO", "tensorflow": "bare TensorFlow"},
        "contenders": {
            name: {"title": name.title(), "how": "somehow", "peer": peer, "version": "1"}
            for name, peer in named.items()
        },
        "runs": [*runs, missing, bare, unmade],
    }


@given(st.lists(POSITIVE, min_size=1, max_size=9))
def test_the_geometric_mean_is_the_standard_librarys(values: list[float]) -> None:
    found = summary.geometric_mean(values)
    assert found == pytest.approx(statistics.geometric_mean(values))


def test_there_is_no_mean_of_nothing() -> None:
    assert summary.geometric_mean([]) is None
    assert summary.median([]) is None
    assert summary.ratio(1.0, None) is None
    assert summary.ratio(1.0, 0.0) is None


def test_figures_are_medians_over_the_rounds(said: dict[str, Any]) -> None:
    results = report.read(said)
    assert results.load("rate", "aws", "mobilenet-v2", 16) == 80.0
    assert results.load("rate", "aws", "mobilenet-v2", 16, "12MP") == 7.0
    assert results.figure("memory", "aws", "mobilenet-v2") == 1000e6


def test_every_target_is_measured_against_the_best_peer(said: dict[str, Any]) -> None:
    results = report.read(said)
    measured = [target.verdict(results) for target in summary.TARGETS]
    values = [value for value, _ in measured]
    assert values == pytest.approx([3.0, 3.2, 4.5, 0.5, 300 / 320, 0.25, 290 / 300])
    assert {verdict for _, verdict in measured} == {"reached"}


def test_a_target_that_was_missed_or_not_measured_is_said_to_be(said: dict[str, Any]) -> None:
    for each in said["runs"]:
        for one in each.get("loads", ()) if each.get("contender") == "plumbline" else ():
            one["rate"] /= 10
    throughput, _, _, _, limit, *_ = summary.TARGETS
    assert throughput.verdict(report.read(said)) == (pytest.approx(0.3), "missed")
    said["runs"] = [each for each in said["runs"] if "limit" not in each]
    assert limit.verdict(report.read(said)) == (None, "not measured")


def test_who_could_not_be_measured_stays_in_the_table_with_the_reason(said: dict[str, Any]) -> None:
    lines = list(report.tables(said))
    assert "| Mlserver | not measured: no / wheel |" in lines
    assert "| bare TensorFlow | not measured: no TensorFlow |" in lines
    assert "| bare OpenVINO | 150 |  | at best 320 (2 threads) |" in lines


def test_a_row_holds_what_its_head_says(said: dict[str, Any]) -> None:
    lines = list(report.tables(said))
    head, row = (next(line for line in lines if line.startswith(f"| {name} |")) for name in names())
    cells = dict(zip(split(head), split(row), strict=True))
    assert cells["req/s, 16"] == "80"
    assert cells["p50 ms, 1"] == "20.0"
    assert cells["CPU ms/answer"] == "2.0"
    assert cells["memory, MB"] == "1000"
    assert cells["× best peer"] == "0.80"


def test_the_form_that_was_chosen_stands_beside_the_name(said: dict[str, Any]) -> None:
    lines = list(report.tables(said))
    assert any(line.startswith("| Plumbline-98 (int8) | 120 | 450 |") for line in lines)
    assert any(line.startswith("| Plumbline | 100 |") for line in lines)


def names() -> tuple[str, str]:
    """What the head and the sample stack's row begin with."""
    return "server", "Aws"


def split(line: str) -> list[str]:
    """The cells of a row."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_other_pictures_have_a_table_of_their_own(said: dict[str, Any]) -> None:
    lines = list(report.tables(said))
    assert "| server, req/s | 12MP, 16 |" in lines
    assert "| Aws | 7 |" in lines


def test_stages_are_shares_of_the_time_without_waiting(said: dict[str, Any]) -> None:
    shares = report.stage_shares([{"wait": 50.0, "infer": 30.0, "decode": 10.0, "total": 100.0}])
    assert shares == pytest.approx({"infer": 0.6, "decode": 0.2, "other": 0.2})
    assert "| Plumbline, MobileNetV2 | 20.0% | – | 60.0% | – | 20.0% |" in report.stages(
        said, report.read(said)
    )


def test_the_page_has_no_blank_left(said: dict[str, Any]) -> None:
    text = report.page(said)
    assert not [
        name
        for name in ("machine", "targets", "tables", "stages", "servers")
        if f"<{name}>" in text
    ]
    assert "Rounds: 3;" in text
    assert "at most 2.0% of a core" in text


def test_the_plot_is_an_svg_with_a_curve_for_each_that_was_measured(
    said: dict[str, Any], tmp_path: Path
) -> None:
    report.write(said, tmp_path)
    svg = ET.parse(tmp_path / "plot.svg").getroot()
    drawn = [each for each in svg.iter() if each.get("stroke-width") == "2"]
    assert len(drawn) == len(RATES)
    assert "MobileNetV2" in "".join(svg.itertext())
    assert "Aws" in (tmp_path / "table.md").read_text("utf-8")


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=12))
def test_all_points_lie_inside_the_axes(points: list[plot.Point]) -> None:
    axes = plot.axes_for(points)
    for x, y in map(axes.place, points):
        assert plot.LEFT <= x <= plot.WIDTH - plot.RIGHT
        assert plot.TOP <= y <= plot.HEIGHT - plot.BOTTOM


@given(st.floats(-3, 3), st.floats(0.4, 4))
def test_ticks_lie_within_their_range(low: float, span: float) -> None:
    found = list(plot.ticks(low, low + span))
    assert found == sorted(found)
    assert all(low <= math.log10(value) <= low + span for value in found)
    assert found


def test_every_peer_has_what_starts_it_and_pins_what_it_needs() -> None:
    peers = [each for each in contenders.CONTENDERS if each.peer]
    assert {each.name for each in peers} == {
        folder.name
        for folder in (contenders.HERE / "peers").iterdir()
        if (folder / "serve.sh").exists()
    }
    for each in peers:
        pinned = each.requirements.read_text("utf-8").splitlines()
        assert all("==" in line for line in pinned)
        assert any(line.startswith("tensorflow-cpu==") for line in pinned)


def test_unknown_contenders_are_named() -> None:
    with pytest.raises(ValueError, match="nobody: not among plumbline"):
        contenders.chosen(["aws", "nobody"])


def test_every_models_picture_is_one_of_those_that_are_sent() -> None:
    import pictures

    assert {model.picture for model in MODELS.values()} <= pictures.SIZES.keys()


def test_stages_are_summed_over_the_answers_of_a_log() -> None:
    log = [
        '{"status": 200, "ms": {"decode": 1.5, "total": 4}}',
        '{"status": 503, "ms": {"total": 900}}',
        '{"status": 200, "ms": {"decode": 0.5, "total": 3}}',
        '{"message": "Listening"}',
        "12",
        "no JSON",
    ]
    assert measure.stages(log) == {"decode": 2.0, "total": 7.0}


def test_a_model_is_loaded_with_its_own_picture_first() -> None:
    plan = measure.Plan(Path("out"), (), connections=(1, 4), others=(16,))
    own = [("640x480", 1), ("640x480", 4)]
    assert list(plan.cases("unet")) == [*own, ("32px", 16), ("12MP", 16)]
