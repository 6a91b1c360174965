"""The alarms that watch an endpoint for as long as it is there, and the topic that they tell.

Each looks at all variants. Where nothing is measured, as nobody asks, that is no reason for alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deployment import names
from deployment.plan import observability
from deployment.plan.calls import Call, Look, Make, Remove, Step
from deployment.plan.dashboard import dashboard_removal, dashboard_step
from deployment.plan.order import Alarms, Async, Order, Serverless
from deployment.plan.scaling import BACKLOG

INVOCATIONS, MACHINES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
"""The namespaces of SageMaker's own metrics."""

CONTAINERS = "Plumbline"
"""That of the lines which containers write themselves."""

SERVER_ERRORS, CALLER_ERRORS = 1.0, 20.0
"""Percent of the requests."""

FULL, USED = 90.0, 85.0
"""Percent of the places for requests, and of memory or disk."""

WAITING = 50.0
"""Requests that wait for each machine, where nobody has said how many should."""

MANY_TIMES = 10
"""More wait than a machine should have."""

OF_ENDPOINT = "aws.sagemaker.endpoint.name"
"""The label by which PromQL tells endpoints, in SageMaker's guide on detailed observability."""

SOON, LATER = 300, 900
"""Seconds for which it must be so."""

Parameters = dict[str, Any]


def standing_steps(order: Order) -> Iterator[Step]:
    """The alarms and the dashboard, if they are wanted."""
    if order.alarms is None:
        return
    found = dict(measures(order, order.alarms))
    for what, parameters in found.items():
        yield make_alarm(order, what, order.alarms.topic, parameters)
    yield dashboard_step(order, [named(order.name, what) for what in found])


def measures(order: Order, alarms: Alarms) -> Iterator[tuple[str, Parameters]]:
    """What each alarm is called, and what it looks at."""
    yield "5xx", share(order, "Invocation5XXErrors", SERVER_ERRORS, "fail")
    yield "4xx", share(order, "Invocation4XXErrors", CALLER_ERRORS, "are refused")
    yield (
        "latency",
        {
            **over(order, INVOCATIONS, "ModelLatency", "p99", "MAX"),
            **above(1000 * alarms.latency),
            "AlarmDescription": f"1 of 100 answers takes more than {alarms.latency:g} ms.",
        },
    )
    yield "saturation", saturation(order)
    kinds = ("memory",) if isinstance(order.kind, Serverless) else ("memory", "disk")
    for kind in kinds:
        yield (
            kind,
            {
                **over(order, MACHINES, f"{kind.title()}Utilization", "Average", "MAX"),
                **above(USED, minutes=LATER // 60),
                "AlarmDescription": f"More than {USED:g} % of the {kind} is in use.",
            },
        )
    if isinstance(order.kind, Async):
        yield "backlog", backlog(order)
    if order.metrics:
        yield "golden", golden(order)


# -- what is looked at ----------------------------------------------------------------------------


def share(order: Order, metric: str, percent: float, words: str) -> Parameters:
    """Errors of a kind, of a hundred requests."""
    errors, all_of = (queries(order, each, "Sum") for each in (metric, "Invocations"))
    listed = ", ".join(each["Id"] for each in errors)
    whole = ", ".join(each["Id"] for each in all_of)
    expression = {
        "Id": "share",
        "Expression": f"100 * SUM([{listed}]) / SUM([{whole}])",
        "ReturnData": True,
    }
    return {
        "Metrics": [*errors, *all_of, expression],
        **above(percent),
        "AlarmDescription": f"More than {percent:g} of 100 requests {words}.",
    }


def saturation(order: Order) -> Parameters:
    """How full the containers are: by their own word, or by SageMaker's."""
    description = {"AlarmDescription": f"More than {FULL:g} % of what can be answered at a time."}
    if isinstance(order.kind, Serverless):
        metric = "ServerlessConcurrentExecutionsUtilization"
        found = over(order, INVOCATIONS, metric, "Maximum", "MAX")
        return {**found, **above(FULL / 100), **description}
    if not order.metrics:
        found = over(order, MACHINES, "CPUUtilizationNormalized", "Average", "MAX")
        return {**found, **above(FULL), "AlarmDescription": f"CPUs are used to {FULL:g} %."}
    if observability.writes_lines(order):
        return {**own_lines(order, "SaturationPercent", "Average"), **above(FULL), **description}
    of = selector(order)
    ratio = f"max(plumbline_requests_inside{of} / plumbline_places{of}) > {FULL / 100:g}"
    return {**promql(order, ratio, SOON), **description}


def backlog(order: Order) -> Parameters:
    """Requests that wait for an async endpoint."""
    most = MANY_TIMES * order.scaling.target if order.scaling else WAITING
    return {
        "Namespace": INVOCATIONS,
        "MetricName": BACKLOG,
        "Dimensions": [{"Name": "EndpointName", "Value": order.name}],
        "Statistic": "Average",
        "Period": 60,
        **above(most, minutes=LATER // 60),
        "AlarmDescription": f"More than {most:g} requests wait for each machine.",
    }


def golden(order: Order) -> Parameters:
    """How far answers are from the notebook's; more than 1 is more than is allowed."""
    description = {"AlarmDescription": "Answers are farther from the notebook's than is allowed."}
    if not observability.writes_lines(order):
        query = f"max(plumbline_golden_worst_ratio{selector(order)}) > 1"
        return {**promql(order, query, 0), **description}
    found = own_lines(order, "GoldenWorstRatio", "Maximum")
    return {**found, **above(1, minutes=1), **description}


def selector(order: Order) -> str:
    """What of an endpoint PromQL looks at."""
    return f'{{"{OF_ENDPOINT}"="{order.name}"}}'


def promql(order: Order, query: str, seconds: int) -> Parameters:
    """Alarm while the query finds something, once it has for so long."""
    criteria = {"Query": query, "PendingPeriod": seconds, "RecoveryPeriod": SOON}
    return {
        "EvaluationCriteria": {"PromQLCriteria": criteria},
        "EvaluationInterval": max(order.metrics, 60),
    }


def own_lines(order: Order, metric: str, statistic: str) -> Parameters:
    """What containers write themselves, of all variants."""
    return {
        "Namespace": CONTAINERS,
        "MetricName": metric,
        "Dimensions": [{"Name": observability.DIMENSION, "Value": order.name}],
        "Statistic": statistic,
        "Period": 60,
    }


def over(order: Order, namespace: str, metric: str, statistic: str, function: str) -> Parameters:
    """One measure of all variants."""
    found = queries(order, metric, statistic, namespace)
    listed = ", ".join(each["Id"] for each in found)
    whole = {"Id": "all", "Expression": f"{function}([{listed}])", "ReturnData": True}
    return {"Metrics": [*found, whole]}


def queries(
    order: Order, metric: str, statistic: str, namespace: str = INVOCATIONS
) -> list[Parameters]:
    """A metric of each variant, as an expression takes it."""
    return [
        {
            "Id": f"{metric[0].lower()}{metric[1:]}{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": "EndpointName", "Value": order.name},
                        {"Name": "VariantName", "Value": variant.name},
                    ],
                },
                "Period": 60,
                "Stat": statistic,
            },
            "ReturnData": False,
        }
        for number, variant in enumerate(order.variants)
    ]


def above(threshold: float, minutes: int = SOON // 60) -> Parameters:
    """Alarm above a threshold, in most of so many minutes."""
    return {
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": minutes,
        "DatapointsToAlarm": minutes // 2 + 1,
        "TreatMissingData": "notBreaching",
    }


def make_alarm(order: Order, what: str, topic: str, parameters: Parameters) -> Make:
    """One alarm. Its description ends with what tells it from one that looks at something else."""
    told, alarm = {"AlarmActions": [topic], "OKActions": [topic]}, named(order.name, what)
    print_of = names.fingerprint({**parameters, **told})
    description = f"{order.name}: {parameters['AlarmDescription']} ({print_of})"
    call = {"AlarmName": alarm, **parameters, **told, "AlarmDescription": description}
    return Make(
        f"alarm {alarm}",
        Call("cloudwatch", "PutMetricAlarm", {**call, "Tags": names.tags(order.name, order.tags)}),
        Look(Call("cloudwatch", "DescribeAlarms", {"AlarmNames": [alarm]}), "MetricAlarms[0]"),
        expected={"AlarmDescription": description},
        again=True,
    )


def named(name: str, what: str) -> str:
    """The name of an alarm that stands; all of an endpoint begin with that of ""."""
    return names.alarm(name, f"standing/{what}")


# -- what is there --------------------------------------------------------------------------------


def is_standing(name: str, alarm: str) -> bool:
    """Whether an alarm is one of these."""
    return alarm.startswith(named(name, ""))


def alarms_of(name: str, found: Iterable[Mapping[str, Any]]) -> Alarms | None:
    """What was asked for, as the alarms that are there say it."""
    by_name = {each["AlarmName"]: each for each in found if is_standing(name, each["AlarmName"])}
    topics = [topic for each in by_name.values() for topic in each.get("AlarmActions", ())]
    if not topics:
        return None
    latency = by_name.get(named(name, "latency"), {}).get("Threshold")
    return Alarms(topics[0], latency / 1000) if latency else Alarms(topics[0])


def ending_steps(order: Order, found: Sequence[str], dashboards: Sequence[str]) -> Iterator[Step]:
    """Remove those of `found` that `order` wants no longer, and the dashboard with the last."""
    kept = measures(order, order.alarms) if order.alarms else ()
    wanted = {named(order.name, what) for what, _ in kept}
    gone = [each for each in found if is_standing(order.name, each) and each not in wanted]
    if gone:
        call = Call("cloudwatch", "DeleteAlarms", {"AlarmNames": gone})
        yield Remove(f"alarms {', '.join(gone)}", call)
    if order.alarms is None:
        yield from map(dashboard_removal, dashboards)
