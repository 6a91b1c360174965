"""What checks find, as people, scripts and CI read it; and the parts that need no container."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.conformance import conformance_report as report
from plumbline.conformance.catalogue import CHECKS
from plumbline.conformance.invocation_checks import differs
from plumbline.conformance.log_checks import counted
from plumbline.conformance.rules import (
    INFO,
    MUST,
    SHOULD,
    Finding,
    Level,
    Result,
    failed,
    no_answer,
    not_judged,
    passed,
)

HOSTILE = '\x1b[2J\x1b]0;title\x07<script>"&\x00\ud800\n</testcase>' + "x" * 10_000


def result(level: Level, finding: Finding) -> Result:
    return Result(next(check for check in CHECKS if check.level == level), finding, 0.5)


RESULTS = [
    result(MUST, passed("200")),
    result(MUST, failed(HOSTILE)),
    result(MUST, failed("a body", SHOULD)),
    result(SHOULD, failed("slow")),
    result(INFO, failed("404")),
    result(MUST, not_judged("no sample")),
]


def test_each_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names)) == 62
    assert sorted(int(name[1:]) for name in names) == list(range(1, 63))


def test_what_a_container_says_can_not_move_a_terminal_s_cursor() -> None:
    text = click.unstyle(report.text(RESULTS[1]))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert len(text) < 1500


def test_only_a_broken_must_is_a_failure_of_junit() -> None:
    suite = ET.fromstring(report.junit(RESULTS, "image\x1b"))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "skipped": "1",
    }
    [failure] = suite.iter("failure")
    assert "<script>" in (failure.get("message") or "")


def test_the_document_says_whether_the_image_conforms() -> None:
    found = json.loads(report.document(RESULTS, "image"))
    assert found["conforms"] is False
    assert [one["outcome"] for one in found["checks"]].count("failed") == 4
    assert json.loads(report.document(RESULTS[2:], "image"))["conforms"] is True


def test_failures_are_counted_by_their_levels() -> None:
    assert report.counted(RESULTS) == "1 passed; failed: 1 MUST, 2 SHOULD, 1 INFO; 1 not judged"


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(DOCUMENTS, DOCUMENTS)
def test_documents_differ_where_they_are_not_equal(one: object, other: object) -> None:
    assert differs(one, one, 0.0) == ""
    if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
        assert differs(one, other, 0.0)


@pytest.mark.parametrize(
    ("wanted", "found", "said"),
    [
        ({"a": [1.0]}, {"a": [1.00001]}, ""),
        ({"a": [1.0]}, {"a": [1.1]}, "$.a[0] is 1.1, not 1.0"),
        ({"a": True}, {"a": 1}, "$.a is 1, not True"),
        ([1, 2], [1], "$ is [1], not [1, 2]"),
    ],
)
def test_numbers_may_differ_a_little(wanted: object, found: object, said: str) -> None:
    assert differs(wanted, found, 1e-4) == said


PROMETHEUS = rb"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
http_request_duration_seconds_bucket{le="+Inf"} 144320
"""  # noqa: E501
"""The example of Prometheus' own description of its text format."""


def test_prometheus_own_example_is_read() -> None:
    assert counted(PROMETHEUS) == (1030.0, "")
    assert counted(b"<html>no metrics</html>\n")[1] == "<html>no metrics</html>"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError, "no answer in time"),
        (ConnectionRefusedError, "the connection was refused"),
        (ConnectionResetError, "the connection was reset before an answer"),
        (lambda: http.client.BadStatusLine("hello"), "the answer is no HTTP: hello"),
    ],
)
def test_no_answer_is_told_in_words(error: Callable[[], Exception], words: str) -> None:
    assert no_answer(error()) == words  # type: ignore[arg-type]
