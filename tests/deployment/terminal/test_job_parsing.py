"""What is typed of training jobs and searches: times, ranges and choices."""

from __future__ import annotations

import pytest

from deployment.errors import Misuse
from deployment.plan.search import Range
from deployment.terminal import job_parsing


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("learning_rate=1e-4..1e-1:log", Range("learning_rate", "1e-4", "1e-1", "Logarithmic")),
        ("layers=18..50", Range("layers", "18", "50", "Auto", whole=True)),
        ("shift=-1..1:linear", Range("shift", "-1", "1", "Linear", whole=True)),
        (
            "momentum=0.5..0.999:reverse-log",
            Range("momentum", "0.5", "0.999", "ReverseLogarithmic"),
        ),
        ("rate=.1...5", Range("rate", ".1", ".5")),
    ],
)
def test_ranges(text: str, found: Range) -> None:
    assert job_parsing.one_range(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate=1e-4-1e-1", "must be like learning_rate=1e-4..1e-1:log"),
        ("learning_rate", "must be like"),
        ("=1..2", "must be like"),
        ("rate=1..2:lgo", "Did you mean log?"),
        ("rate=1..2:", "the scale is linear, log or reverse-log."),
        ("rate=2..1", "2 is not less than 1"),
        ("rate=1..1", "1 is not less than 1"),
        ("rate=0..1:log", "numbers above 0 alone"),
        ("rate=0..1:reverse-log", "from 0 to below 1"),
        ("rate=a..b", "a is no number"),
        ("rate=1..nan", "nan is no number"),
        ("rate=1..inf", "inf is no number"),
    ],
)
def test_ranges_misspelt(text: str, words: str) -> None:
    with pytest.raises(Misuse, match="--range") as raised:
        job_parsing.one_range(text)

    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("3d", 259200)]
)
def test_times(text: str, seconds: int) -> None:
    assert job_parsing.seconds(text, "--warm") == seconds


@pytest.mark.parametrize("text", ["", "2", "2 h", "h", "1.5h", "0m", "-1h", "2hours", "२h"])
def test_times_misspelt(text: str) -> None:
    with pytest.raises(Misuse, match="a number and its unit"):
        job_parsing.seconds(text, "--warm")


@pytest.mark.parametrize(
    "text", ["optimizer", "optimizer=", "=a", "optimizer=a,,b", "optimizer=a,a"]
)
def test_choices_misspelt(text: str) -> None:
    with pytest.raises(Misuse, match="--choose"):
        job_parsing.choices([text])


def test_choices() -> None:
    assert job_parsing.choices(["a=1,2", "b=x"]) == {"a": ("1", "2"), "b": ("x",)}
    with pytest.raises(Misuse, match="given twice"):
        job_parsing.choices(["a=1", "a=2"])
