"""Standing alarms and the dashboard in moto's AWS: made, changed with the variants, and removed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, REGION, Account, Deploy, inventory
from faults import Died, Weather, each_fault, worth_breaking
from rolling import Rolling

pytestmark = pytest.mark.usefixtures("weather")

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"

ALL = ("4xx", "5xx", "disk", "golden", "latency", "memory", "saturation")


def standing(account: Account) -> dict[str, dict[str, Any]]:
    """The alarms that stand, by the end of their names."""
    found = account("cloudwatch").describe_alarms(AlarmNamePrefix="plumbline/cats/standing/")
    return {each["AlarmName"].rpartition("/")[2]: each for each in found["MetricAlarms"]}


def variants(account: Account) -> set[str]:
    """Those that an alarm looks at."""
    return {
        each["MetricStat"]["Metric"]["Dimensions"][1]["Value"]
        for each in standing(account)["5xx"]["Metrics"]
        if "MetricStat" in each
    }


def shown(account: Account) -> str:
    """What the dashboard holds."""
    found = account("cloudwatch").get_dashboard(DashboardName="plumbline-cats")
    return str(found["DashboardBody"])


def test_up_makes_them_once_and_down_removes_them(
    account: Account, up: Deploy, deploy: Deploy
) -> None:
    ended = up("--alarms", TOPIC)
    assert ended.exit_code == 0, ended.stderr
    assert sorted(standing(account)) == list(ALL)
    assert "plumbline/cats/standing/golden" in shown(account)
    assert "The alarms and the dashboard: CloudWatch bills them" in ended.stderr

    again = up("--alarms", TOPIC)
    assert "nothing was changed" in again.stderr

    removed = deploy("down", "cats", "--yes", "--data")
    assert removed.exit_code == 0, removed.stderr
    assert "dashboard plumbline-cats" in removed.stderr
    assert inventory(account) == {}


def test_a_dry_run_shows_each_call(up: Deploy) -> None:
    dry = json.loads(up("--alarms", TOPIC, "--dry-run").stdout)

    calls = [each for each in dry["calls"] if each["service"] == "cloudwatch"]
    assert [each["operation"] for each in calls] == ["PutMetricAlarm"] * 7 + ["PutDashboard"]
    golden = next(each for each in calls if each["parameters"]["AlarmName"].endswith("/golden"))
    query = golden["parameters"]["EvaluationCriteria"]["PromQLCriteria"]["Query"]
    assert query == 'max(plumbline_golden_worst_ratio{"aws.sagemaker.endpoint.name"="cats"}) > 1'


def test_latency_is_that_which_was_measured(account: Account, up: Deploy, tmp_path: Path) -> None:
    run = {"connections": 4, "requests_per_second": 100, "p95_ms": 40.0, "errors": 0}
    measured = tmp_path / "bench.json"
    measured.write_text(json.dumps({"runs": [run]}))

    ended = up("--alarms", TOPIC, "--benchmark", measured)

    assert ended.exit_code == 0, ended.stderr
    assert standing(account)["latency"]["Threshold"] == 80_000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--alarms", "mail-me"), "by its ARN"),
        (("--alarms", "none"), "`python deploy.py update NAME --alarms none`"),
        (("--alarm-latency", 5), "goes with --alarms TOPIC"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    account: Account, up: Deploy, options: tuple[object, ...], told: str
) -> None:
    ended = up(*options)

    assert ended.exit_code == 2
    assert told in ended.stderr
    assert inventory(account) == {}


def test_update_adds_changes_and_removes_them_without_new_machines(
    account: Account, up: Deploy, deploy: Deploy, sagemaker: Rolling
) -> None:
    up()
    before = inventory(account)

    def change(*more: object) -> None:
        ended = deploy("update", "cats", "--no-check", *more)
        assert ended.exit_code == 0, ended.stderr

    change("--alarms", TOPIC)
    assert sorted(standing(account)) == list(ALL)
    change("--alarm-latency", 70)
    assert standing(account)["latency"]["Threshold"] == 70_000
    assert standing(account)["latency"]["AlarmActions"] == [TOPIC]
    change("--alarms", f"{TOPIC}-2")
    assert standing(account)["5xx"]["AlarmActions"] == [f"{TOPIC}-2"]
    assert standing(account)["latency"]["Threshold"] == 70_000
    change("--alarms", "none")

    assert inventory(account) == before


def test_they_look_at_the_variants_that_there_are_also_after_a_way_back(
    account: Account, up: Deploy, deploy: Deploy, better: Path, sagemaker: Rolling
) -> None:
    up("--alarms", TOPIC)
    assert variants(account) == {"all"}

    changed = deploy("update", "cats", "--no-check", "--variant", f"new={better}:1")
    assert changed.exit_code == 0, changed.stderr
    assert variants(account) == {"all", "new"}
    assert '"new"' in shown(account)

    back = deploy("rollback", "cats")
    assert back.exit_code == 0, back.stderr
    assert variants(account) == {"all"}
    assert '"new"' not in shown(account)


def test_others_dashboards_and_alarms_stay(account: Account, up: Deploy, deploy: Deploy) -> None:
    cloudwatch = account("cloudwatch")
    for name in ("plumbline-cats-2", "cats"):
        cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{"widgets": []}')
    up("--alarms", TOPIC)

    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    assert inventory(account) == {"dashboards": ["cats", "plumbline-cats-2"]}


@each_fault
def test_whatever_call_of_down_fails_the_next_removes_them_too(
    account: Account, up: Deploy, deploy: Deploy, fault: Any, when: str
) -> None:
    removal = ("down", "cats", "--yes", "--data")
    up("--alarms", TOPIC)
    with Weather().prevailing() as fair:
        assert deploy(*removal).exit_code == 0
    watching = [
        number
        for number, call in worth_breaking(fair.calls, fault)
        if "Dashboard" in call.operation or "Alarms" in call.operation
    ]
    assert watching
    for number in watching:
        up("--alarms", TOPIC)
        with Weather(**{when: {number: fault}}).prevailing(), suppress(Died):
            deploy(*removal)

        again = deploy(*removal)
        assert again.exit_code == 0, again.stderr
        assert inventory(account) == {}
