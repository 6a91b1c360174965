"""A dashboard of CloudWatch's that shows how an endpoint is, in eight widgets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from deployment import names
from deployment.plan import observability
from deployment.plan.calls import Call, Look, Make, Remove
from deployment.plan.order import Async, Order, Serverless

WIDTH, HEIGHT, ACROSS = 12, 6, 24
"""Of a widget, and of the page, in CloudWatch's units."""

INVOCATIONS, MACHINES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"

Widget = dict[str, Any]
Line = list[Any]


def dashboard_step(order: Order, alarms: Sequence[str]) -> Make:
    """Make the dashboard, or another of it."""
    name, text = names.dashboard(order.name), json.dumps(body(order, alarms))
    parameters = {
        "DashboardName": name,
        "DashboardBody": text,
        "Tags": names.tags(order.name, order.tags),
    }
    return Make(
        f"dashboard {name}",
        Call("cloudwatch", "PutDashboard", parameters),
        look_at_dashboard(name),
        expected={"DashboardBody": text},
        again=True,
    )


def look_at_dashboard(name: str) -> Look:
    """The dashboard, if it is there."""
    return Look(Call("cloudwatch", "GetDashboard", {"DashboardName": name}))


def dashboard_removal(name: str) -> Remove:
    """Remove a dashboard."""
    call = Call("cloudwatch", "DeleteDashboards", {"DashboardNames": [name]})
    return Remove(f"dashboard {name}", call)


def body(order: Order, alarms: Sequence[str]) -> dict[str, Any]:
    """All widgets, two in a row."""
    return {
        "widgets": [
            {
                "x": WIDTH * number % ACROSS,
                "y": HEIGHT * (WIDTH * number // ACROSS),
                "width": WIDTH,
                "height": HEIGHT,
                **widget,
            }
            for number, widget in enumerate(widgets(order, alarms))
        ]
    }


def widgets(order: Order, alarms: Sequence[str]) -> Iterator[Widget]:
    """From what callers see to what machines have left."""
    arns = [f"arn:aws:cloudwatch:{order.region}:{order.account}:alarm:{alarm}" for alarm in alarms]
    yield {"type": "alarm", "properties": {"title": "Alarms", "alarms": arns}}
    errors = ("Invocation4XXErrors", "Invocation5XXErrors")
    yield graph(order, "Requests and errors", lines(order, ("Invocations", *errors), "Sum"))
    yield graph(order, "Model latency, µs", percentiles(order, "ModelLatency"))
    yield graph(order, "Overhead of SageMaker, µs", percentiles(order, "OverheadLatency"))
    yield load(order)
    yield machines(order)
    yield graph(order, "Memory and disk, %", used(order))
    yield answers(order)


def load(order: Order) -> Widget:
    """How much there is to do for each machine."""
    if isinstance(order.kind, Serverless):
        metric = "ServerlessConcurrentExecutionsUtilization"
        return graph(order, "Share of the concurrency in use", lines(order, (metric,), "Maximum"))
    if isinstance(order.kind, Async):
        waiting = ("ApproximateBacklogSize", "ApproximateBacklogSizePerInstance")
        found = [
            [INVOCATIONS, each, "EndpointName", order.name, stat("Average")] for each in waiting
        ]
        return graph(order, "Requests that wait", found)
    return graph(
        order, "Requests for each machine", lines(order, ("InvocationsPerInstance",), "Sum")
    )


def machines(order: Order) -> Widget:
    """How hard they work."""
    if isinstance(order.kind, Serverless):
        return graph(order, "Cold starts, µs", lines(order, ("ModelSetupTime",), "Average"))
    found = lines(order, ("CPUUtilizationNormalized",), "Average", MACHINES)
    return graph(order, "CPU, %", found)


def used(order: Order) -> list[Line]:
    """What is left of memory and disk."""
    serverless = isinstance(order.kind, Serverless)
    metrics = ("MemoryUtilization", *(() if serverless else ("DiskUtilization",)))
    return lines(order, metrics, "Average", MACHINES)


def answers(order: Order) -> Widget:
    """How far answers are from the notebook's; of a real-time endpoint, which PromQL alone tells,
    the share of requests that fail.
    """
    if order.metrics and observability.writes_lines(order):
        line = [
            "Plumbline",
            "GoldenWorstRatio",
            observability.DIMENSION,
            order.name,
            stat("Maximum"),
        ]
        return graph(order, "Golden ratio; above 1 is wrong", [line])
    return graph(order, "Errors, % of the requests", shares(order))


def shares(order: Order) -> list[Line]:
    """Errors of a hundred requests, by variant."""
    found: list[Line] = []
    for number, variant in enumerate(order.variants):
        place = ("EndpointName", order.name, "VariantName", variant.name)
        for key, metric in (("c", "Invocation4XXErrors"), ("s", "Invocation5XXErrors")):
            hidden = {**stat("Sum"), "id": f"{key}{number}", "visible": False}
            found.append([INVOCATIONS, metric, *place, hidden])
            label = {
                "label": f"{variant.name} {metric}",
                "expression": f"100*{key}{number}/i{number}",
            }
            found.append([label])
        whole = {**stat("Sum"), "id": f"i{number}", "visible": False}
        found.append([INVOCATIONS, "Invocations", *place, whole])
    return found


def percentiles(order: Order, metric: str) -> list[Line]:
    """The median and what few take longer than."""
    return [line for each in ("p50", "p95", "p99") for line in lines(order, (metric,), each)]


def lines(
    order: Order, metrics: Sequence[str], statistic: str, namespace: str = INVOCATIONS
) -> list[Line]:
    """A line for each metric of each variant."""
    return [
        [
            *(namespace, metric, "EndpointName", order.name),
            *("VariantName", variant.name, stat(statistic)),
        ]
        for variant in order.variants
        for metric in metrics
    ]


def stat(statistic: str) -> dict[str, Any]:
    """What of a metric is shown."""
    return {"stat": statistic}


def graph(order: Order, title: str, metrics: list[Line]) -> Widget:
    """Lines over the time."""
    properties = {
        "title": title,
        "region": order.region,
        "view": "timeSeries",
        "stacked": False,
        "period": 60,
        "metrics": metrics,
        "yAxis": {"left": {"min": 0}},
    }
    return {"type": "metric", "properties": properties}
