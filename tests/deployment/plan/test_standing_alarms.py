"""What watches an endpoint: of each kind of endpoint the alarms and the dashboard, as data."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, IMAGE, REGION, ROLE

from deployment.plan.calls import Make
from deployment.plan.endpoint import config_parameters
from deployment.plan.limits import problems
from deployment.plan.order import (
    Alarms,
    Archive,
    Async,
    Capture,
    Kind,
    Order,
    RealTime,
    Scaling,
    Serverless,
    Variant,
)
from deployment.plan.standing_alarms import alarms_of, ending_steps, standing_steps

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"

ARCHIVE = Archive(url="s3://models/model.tar.gz")

KINDS: dict[str, Kind] = {
    "real-time": RealTime(),
    "serverless": Serverless(2048),
    "async": Async("s3://answers/here/"),
}

COMMON = ["5xx", "4xx", "latency", "saturation", "memory"]


def order(kind: str, **more: Any) -> Order:
    variants = (Variant("a", ARCHIVE, 1.0), Variant("b", ARCHIVE, 2.0))
    usual = {"metrics": 60, "alarms": Alarms(TOPIC, 250.0)} | more
    return Order("cats", REGION, ROLE, IMAGE, variants, KINDS[kind], **usual)


def made(found: Order) -> dict[str, dict[str, Any]]:
    """The parameters of each alarm, by the end of its name."""
    steps = [step for step in standing_steps(found) if isinstance(step, Make)]
    return {
        str(step.call.parameters["AlarmName"]).rpartition("/")[2]: dict(step.call.parameters)
        for step in steps
        if step.call.operation == "PutMetricAlarm"
    }


def board(found: Order) -> list[dict[str, Any]]:
    """The widgets of the dashboard."""
    *_, step = standing_steps(found)
    assert isinstance(step, Make)
    assert step.call.parameters["DashboardName"] == "plumbline-cats"
    widgets: list[dict[str, Any]] = json.loads(step.call.parameters["DashboardBody"])["widgets"]
    return widgets


@pytest.mark.parametrize(
    ("kind", "more", "alarms"),
    [
        ("real-time", {}, [*COMMON, "disk", "golden"]),
        ("real-time", {"metrics": 0}, [*COMMON, "disk"]),
        ("serverless", {}, [*COMMON, "golden"]),
        ("async", {}, [*COMMON, "disk", "backlog", "golden"]),
    ],
)
def test_each_kind_of_endpoint_is_watched_for_what_it_has(
    kind: str, more: dict[str, Any], alarms: list[str]
) -> None:
    found = made(order(kind, **more))

    assert list(found) == alarms
    for parameters in found.values():
        assert parameters["AlarmActions"] == parameters["OKActions"] == [TOPIC]
        assert parameters["AlarmName"].startswith("plumbline/cats/standing/")
        assert parameters["AlarmDescription"].startswith("cats: ")
        assert len(parameters.get("Metrics", ())) <= 10, "more is refused by CloudWatch"


def test_nothing_is_made_where_nobody_is_to_be_told() -> None:
    assert list(standing_steps(order("real-time", alarms=None))) == []


def test_shares_are_those_of_all_variants_together() -> None:
    found = made(order("real-time"))["5xx"]

    *parts, whole = found["Metrics"]
    errors = "invocation5XXErrors0, invocation5XXErrors1"
    assert whole["Expression"] == f"100 * SUM([{errors}]) / SUM([invocations0, invocations1])"
    assert [each["Id"] for each in parts] == [
        *errors.split(", "),
        *("invocations0", "invocations1"),
    ]
    assert (found["Threshold"], found["TreatMissingData"]) == (1, "notBreaching")


def test_latency_is_asked_for_in_microseconds() -> None:
    found = made(order("real-time"))["latency"]

    assert found["Threshold"] == 250_000
    assert found["Metrics"][0]["MetricStat"]["Stat"] == "p99"


def test_requests_may_wait_where_machines_are_to_have_some() -> None:
    scaled = order("async", scaling=Scaling(0, 2, 7.0, "backlog"))

    assert made(scaled)["backlog"]["Threshold"] == 70
    assert made(order("async"))["backlog"]["Threshold"] == 50


def queries(found: Order) -> list[str]:
    """What is asked in PromQL."""
    return [
        each["EvaluationCriteria"]["PromQLCriteria"]["Query"]
        for each in made(found).values()
        if "EvaluationCriteria" in each
    ]


@pytest.mark.prometheus
def test_prometheus_reads_the_queries_and_they_hold_where_they_should(tmp_path: Path) -> None:
    """By Prometheus' own test of rules: which of two endpoints raises which alarm.

    Its versions before 3 know no dots in labels.
    """
    label = "aws_sagemaker_endpoint_name"
    rules = [
        {"alert": f"alarm{number}", "expr": query.replace('"aws.sagemaker.endpoint.name"', label)}
        for number, query in enumerate(queries(order("real-time")))
    ]
    assert all(label in rule["expr"] for rule in rules)

    def series(name: str, endpoint: str, value: float) -> dict[str, str]:
        return {"series": f'{name}{{{label}="{endpoint}"}}', "values": f"{value}x5"}

    def case(endpoint: str, fires: bool) -> dict[str, Any]:
        samples = (("requests_inside", 19.0), ("places", 20.0), ("golden_worst_ratio", 1.5))
        alerts = [
            {
                "eval_time": "3m",
                "alertname": rule["alert"],
                "exp_alerts": [{}] if fires else [],
            }
            for rule in rules
        ]
        return {
            "interval": "1m",
            "input_series": [series(f"plumbline_{name}", endpoint, v) for name, v in samples],
            "alert_rule_test": alerts,
        }

    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    cases = {"rule_files": ["rules.json"], "tests": [case("cats", True), case("dogs", False)]}
    (tmp_path / "tests.json").write_text(json.dumps(cases))
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["serverless", "async"])
def test_containers_that_are_not_asked_are_watched_by_their_own_lines(kind: str) -> None:
    assert queries(order(kind)) == []
    golden = made(order(kind))["golden"]
    assert (golden["Namespace"], golden["MetricName"]) == ("Plumbline", "GoldenWorstRatio")
    assert golden["Dimensions"] == [{"Name": "Endpoint", "Value": "cats"}]


# -- the dashboard --------------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", [0, 60])
@pytest.mark.parametrize("kind", KINDS)
def test_the_dashboard_has_eight_widgets_side_by_side(kind: str, metrics: int) -> None:
    widgets = board(order(kind, metrics=metrics))

    assert len(widgets) == 8
    places = {(each["x"], each["y"]) for each in widgets}
    assert places == {(x, y) for x in (0, 12) for y in (0, 6, 12, 18)}
    assert {each["type"] for each in widgets} == {"alarm", "metric"}
    titles = [each["properties"]["title"] for each in widgets]
    assert len(set(titles)) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_the_dashboard_shows_all_alarms_and_every_variant(kind: str) -> None:
    alarms, *graphs = board(order(kind))

    listed = [arn.partition(":alarm:")[2] for arn in alarms["properties"]["alarms"]]
    assert listed == [f"plumbline/cats/standing/{each}" for each in made(order(kind))]
    requests = next(each for each in graphs if "Requests and errors" in str(each))
    variants = {line[5] for line in requests["properties"]["metrics"]}
    assert variants == {"a", "b"}
    for each in graphs:
        properties = each["properties"]
        assert properties["region"] == REGION
        for line in properties["metrics"]:
            if isinstance(line[0], dict):
                assert {"expression", "label"} == line[0].keys()
            else:
                *names, options = line
                assert all(isinstance(name, str) for name in names)
                assert len(names) % 2 == 0, "a namespace, a metric, and pairs of dimensions"
                assert "stat" in options


# -- what is there --------------------------------------------------------------------------------


def test_what_was_asked_for_is_read_from_the_alarms() -> None:
    there = [
        *made(order("real-time")).values(),
        {"AlarmName": "plumbline/cats/update/latency", "AlarmActions": ["another"]},
    ]

    assert alarms_of("cats", there) == Alarms(TOPIC, 250.0)
    assert alarms_of("cat", there) is None
    assert alarms_of("cats", []) is None


def test_what_watches_no_more_is_removed_and_the_rest_stays() -> None:
    there = [each["AlarmName"] for each in made(order("real-time")).values()]
    others = ["plumbline/cats/update/latency", "plumbline/cats/a/wake"]

    unmeasured = list(ending_steps(order("real-time", metrics=0), [*there, *others], ["board"]))
    nothing = list(ending_steps(order("real-time", alarms=None), [*there, *others], ["board"]))

    assert [dict(step.call.parameters) for step in unmeasured] == [
        {"AlarmNames": ["plumbline/cats/standing/golden"]}
    ]
    assert [dict(step.call.parameters) for step in nothing] == [
        {"AlarmNames": there},
        {"DashboardNames": ["board"]},
    ]


@pytest.mark.parametrize(
    "topic", ["alarms", TOPIC.replace(REGION, "us-east-1"), "arn:aws:sqs:x", f"{TOPIC}:more"]
)
def test_a_topic_that_cannot_be_told_is_refused(topic: str) -> None:
    [problem] = problems(order("real-time", alarms=Alarms(topic)))

    assert problem.startswith(f"--alarms {topic}: ")
    assert f"arn:aws:sns:{REGION}:ACCOUNT:NAME" in problem


def test_more_variants_than_an_alarm_can_look_at_are_refused() -> None:
    many = tuple(Variant(f"v{number}", ARCHIVE, 1.0) for number in range(6))

    [problem] = problems(replace(order("real-time"), variants=many))
    assert "5 variants can be watched, and there are 6" in problem


def test_captured_json_and_csv_are_kept_as_text() -> None:
    captured = order("real-time", capture=Capture("s3://kept/here"))

    kept = config_parameters(captured)["DataCaptureConfig"]["CaptureContentTypeHeader"]
    assert kept["CsvContentTypes"] == ["text/csv"]
    assert "application/json" in kept["JsonContentTypes"]
