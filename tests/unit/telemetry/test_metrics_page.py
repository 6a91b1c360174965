"""docs/metrics.md says of every metric what the code does, in one row each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plumbline.telemetry import embedded, series
from plumbline.telemetry.label_values import BY_FLASK, known_answers
from plumbline.telemetry.series import Series

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text("utf-8")

MODES = {
    "one": " Not on multi-model endpoints.",
    "many": " Multi-model endpoints only.",
    "both": "",
}


def row(one: Series) -> str:
    """The row of a metric."""
    labels = [
        f"`{name}`: {', '.join(values)}" if values else f"`{name}`"
        for name, values in one.labels.items()
    ]
    return f"| `{one.name}` | {one.kind} | {'; '.join(labels)} | {one.help}{MODES[one.mode]} |"


def test_the_table_has_a_row_for_each_metric_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(?:plumbline|process)_\w+` \| (?:counter|gauge|histogram) .*$", PAGE, re.MULTILINE
    )

    assert rows == [row(one) for one in series.TABLE]


@pytest.mark.parametrize("buckets", [series.SECONDS, series.BYTES, series.ROWS])
def test_the_buckets_are_told(buckets: tuple[float, ...]) -> None:
    assert ", ".join(f"{one:g}" if one < 1e6 else f"{one:.0f}" for one in buckets) in PAGE


def test_the_errors_of_addresses_are_told() -> None:
    assert set(BY_FLASK) <= {code for _, code in known_answers()}
    assert all(f"`{code}`" in PAGE for code in BY_FLASK)


def test_what_a_line_for_cloudwatch_holds_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (Count|Milliseconds|Percent|None) \|", PAGE, re.MULTILINE)

    assert dict(rows) == embedded.UNITS
