"""How a change is rolled out: in which steps, guarded by which alarms."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployment import names
from deployment.errors import Misuse
from deployment.plan.calls import Call, Look, Make
from deployment.plan.order import Order

MOST_BAKE = 3600
"""Seconds that SageMaker waits at most between two steps."""

MOST_SECONDS = 28800
"""Eight hours: SageMaker lets no roll-out take longer."""

STARTING_SECONDS = 3600
"""What starting the machines of a step may take, beside the waiting."""

BOUNDS = {"canary": (1, 50), "linear": (10, 50), "rolling": (5, 50)}
"""The percentages that SageMaker takes."""

NAMESPACE = "Plumbline"

VERDICT = "WrongAnswers"
"""What deploy.py itself says of an endpoint: how many golden pictures came out wrong."""


@dataclass(frozen=True)
class Size:
    """A share of a variant's machines: so many of a hundred, or so many machines."""

    value: int
    percent: bool = True

    @property
    def parameters(self) -> dict[str, Any]:
        """As SageMaker takes it."""
        return {
            "Type": "CAPACITY_PERCENT" if self.percent else "INSTANCE_COUNT",
            "Value": self.value,
        }

    def steps(self, machines: int) -> int:
        """In how many steps all machines are reached."""
        return math.ceil((100 if self.percent else machines) / self.value)

    def __str__(self) -> str:
        """As it is typed."""
        return f"{self.value}%" if self.percent else str(self.value)


@dataclass(frozen=True)
class RollOut:
    """The steps, the seconds of watching after each, and when an alarm goes off."""

    how: str = "all at once"
    size: Size = Size(100)
    bake: int = 300
    latency: float = 5000.0
    """Milliseconds that 95 of 100 answers may take."""
    errors: int = 5
    """Answers of 500 and above within a minute."""


# -- what was typed -------------------------------------------------------------------------------


def parse_size(text: str, option: str) -> Size:
    """10% or 2. Raises `Misuse`."""
    found = re.fullmatch(r"([0-9]{1,9})(%?)", text.strip())
    if not found or not int(found[1]):
        raise Misuse(f"{option} {text}: a share of the instances such as 10%, or how many of them.")
    return Size(int(found[1]), bool(found[2]))


UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_seconds(text: str, option: str) -> int:
    """10m, 90s, 1h or 600. Raises `Misuse`."""
    found = re.fullmatch(r"([0-9]{1,9})([smh]?)", text.strip())
    seconds = int(found[1]) * UNITS[found[2]] if found else -1
    if not 0 <= seconds <= MOST_BAKE:
        raise Misuse(f"{option} {text}: minutes such as 10m, one hour at most.")
    return seconds


# -- what AWS would refuse ------------------------------------------------------------------------


def problems(rollout: RollOut, machines: dict[str, int]) -> Iterator[str]:
    """What SageMaker would not take of these steps; `machines` counts those of each variant."""
    if rollout.how == "all at once":
        return
    option, fewest = f"--{rollout.how} {rollout.size}", min(machines.values())
    if rollout.how == "rolling" and len(machines) > 1:
        yield (
            "--rolling is for endpoints of a single variant, and this one has "
            f"{len(machines)}: take --canary or --linear."
        )
    if fewest < 2:
        yield (
            f"{option} needs two instances at least, and the endpoint has {fewest}: there is no "
            "part of one. Leave the option out (a new instance is started, and answers once it is "
            "ready), or take --count 2."
        )
    least, most = BOUNDS[rollout.how]
    if rollout.size.percent and not least <= rollout.size.value <= most:
        yield f"{option}: SageMaker takes {least}% to {most}%."
    if not rollout.size.percent and rollout.size.value * 2 > fewest:
        yield f"{option}: SageMaker takes half of the {fewest} instances at most."
    if seconds(rollout, max(machines.values())) > MOST_SECONDS:
        yield (
            f"{option} with so long a --bake takes more than the eight hours that SageMaker lets "
            "a roll-out take: larger steps, or a shorter --bake."
        )


def seconds(rollout: RollOut, machines: int) -> int:
    """How long all of it may take."""
    waits = {"all at once": 1, "canary": 2}.get(rollout.how) or rollout.size.steps(machines) + 1
    return max(600, waits * rollout.bake + STARTING_SECONDS)


# -- for SageMaker --------------------------------------------------------------------------------


def deployment_config(rollout: RollOut, name: str, machines: int) -> dict[str, Any]:
    """The steps and the alarms, as UpdateEndpoint takes them."""
    limit = {"MaximumExecutionTimeoutInSeconds": seconds(rollout, machines)}
    guard = {"Alarms": [{"AlarmName": each} for each in alarms(name)]}
    if rollout.how == "rolling":
        rolling = {
            "MaximumBatchSize": rollout.size.parameters,
            "WaitIntervalInSeconds": rollout.bake,
            **limit,
        }
        return {"RollingUpdatePolicy": rolling, "AutoRollbackConfiguration": guard}
    blue_green = {
        "TrafficRoutingConfiguration": routing(rollout),
        "TerminationWaitInSeconds": rollout.bake,
        **limit,
    }
    return {"BlueGreenUpdatePolicy": blue_green, "AutoRollbackConfiguration": guard}


def routing(rollout: RollOut) -> dict[str, Any]:
    """How requests move from the old machines to the new ones."""
    if rollout.how == "all at once":
        return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    size = {"canary": "CanarySize", "linear": "LinearStepSize"}[rollout.how]
    return {
        "Type": rollout.how.upper(),
        "WaitIntervalInSeconds": rollout.bake,
        size: rollout.size.parameters,
    }


# -- alarms ---------------------------------------------------------------------------------------

GUARDS = ("errors", "latency", "golden")


def alarms(name: str) -> list[str]:
    """The names of the alarms that guard a roll-out."""
    return [names.alarm(name, f"update/{guard}") for guard in GUARDS]


def alarm_steps(order: Order, rollout: RollOut) -> Iterator[Make]:
    """Too many errors, too slow, and wrong by deploy.py's own word."""
    wrong = {
        "Namespace": NAMESPACE,
        "MetricName": VERDICT,
        "Dimensions": [{"Name": "EndpointName", "Value": order.name}],
        "Statistic": "Maximum",
        "Period": 60,
    }
    microseconds = rollout.latency * 1000
    errors = over_variants(order, "Invocation5XXErrors", "Sum", "SUM")
    slowness = over_variants(order, "ModelLatency", "p95", "MAX")
    for alarm, threshold, measured in zip(
        alarms(order.name),
        (rollout.errors, microseconds, 1),
        (errors, slowness, wrong),
        strict=True,
    ):
        yield make_alarm(order, alarm, threshold, measured)


def over_variants(order: Order, metric: str, statistic: str, function: str) -> dict[str, Any]:
    """One measure of all variants: SageMaker watches ten alarms at most, and there may be more."""
    measures: list[dict[str, Any]] = [
        {
            "Namespace": "AWS/SageMaker",
            "MetricName": metric,
            "Dimensions": [
                {"Name": "EndpointName", "Value": order.name},
                {"Name": "VariantName", "Value": variant.name},
            ],
        }
        for variant in order.variants
    ]
    if len(measures) == 1:
        key = "ExtendedStatistic" if statistic.startswith("p") else "Statistic"
        return {**measures[0], key: statistic, "Period": 60}
    queries: list[dict[str, Any]] = [
        {
            "Id": f"m{number}",
            "MetricStat": {"Metric": measure, "Period": 60, "Stat": statistic},
            "ReturnData": False,
        }
        for number, measure in enumerate(measures)
    ]
    whole = {"Id": "all", "Expression": f"{function}(METRICS())", "ReturnData": True}
    return {"Metrics": [*queries, whole]}


def make_alarm(order: Order, alarm: str, threshold: float, measured: dict[str, Any]) -> Make:
    """One alarm; where nobody asks, nothing is measured, and that is no failure."""
    parameters = {
        "AlarmName": alarm,
        **measured,
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": names.tags(order.name, order.tags),
    }
    return Make(
        f"alarm {alarm}",
        Call("cloudwatch", "PutMetricAlarm", parameters),
        Look(Call("cloudwatch", "DescribeAlarms", {"AlarmNames": [alarm]}), "MetricAlarms[0]"),
        expected={"Threshold": threshold},
        again=True,
    )


def verdict(name: str, wrong: int) -> Call:
    """Tell the alarm that answers are wrong: SageMaker takes orders from alarms alone meanwhile."""
    data = {
        "MetricName": VERDICT,
        "Dimensions": [{"Name": "EndpointName", "Value": name}],
        "Value": float(wrong),
    }
    return Call("cloudwatch", "PutMetricData", {"Namespace": NAMESPACE, "MetricData": [data]})
