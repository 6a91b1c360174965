"""What CloudWatch learns of a container: its metrics by SageMaker's collector, or by its own lines.

The collector asks containers of real-time endpoints. Those of serverless and asynchronous ones
write lines in CloudWatch's embedded metric format, under the names that they are told here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployment.plan.order import Order, RealTime, Variant

PATH = "/metrics"

MINUTE = 60
"""Seconds between two lines of a container that writes them itself."""

LINES = ("PLUMBLINE_METRICS", "emf")

DIMENSION = "Endpoint"
"""The dimension of these lines that names the endpoint."""

ENDPOINT, VARIANT = "PLUMBLINE_ENDPOINT", "PLUMBLINE_VARIANT"


def of_container(order: Order) -> dict[str, Any]:
    """What CreateModel is told of a container's metrics."""
    if not (order.metrics and isinstance(order.kind, RealTime)):
        return {}
    asked = {"MetricsEndpointPath": PATH, "MetricPublishFrequencyInSeconds": order.metrics}
    return {"ContainerMetricsConfig": {"MetricsEndpoints": [asked]}}


def of_endpoint(order: Order) -> dict[str, Any]:
    """What CreateEndpointConfig is told; where nothing is said, AWS collects them."""
    if not isinstance(order.kind, RealTime):
        return {}
    wanted = bool(order.metrics)
    config = {"EnableEnhancedMetrics": wanted, "EnableDetailedObservability": wanted}
    if wanted:
        return {"MetricsConfig": {**config, "MetricPublishFrequencyInSeconds": order.metrics}}
    return {"MetricsConfig": config}


def writes_lines(order: Order) -> bool:
    """Whether containers write lines, if there are to be metrics at all."""
    return not isinstance(order.kind, RealTime)


def environment(order: Order, variant: Variant) -> dict[str, str]:
    """The settings of a variant's container; what was typed counts most."""
    if not order.metrics or isinstance(order.kind, RealTime):
        return dict(order.environment)
    lines = dict((LINES, (ENDPOINT, order.name), (VARIANT, variant.name)))
    return {**lines, **order.environment}


def read(
    name: str, config: Mapping[str, Any], container: Mapping[str, Any]
) -> tuple[int, dict[str, str]]:
    """The seconds between two collections, 0 for none, and the settings that were typed."""
    found = dict(container.get("Environment") or {})
    if found.get(LINES[0]) == LINES[1] and found.get(ENDPOINT) == name:
        return MINUTE, {
            key: found[key] for key in found if key not in (LINES[0], ENDPOINT, VARIANT)
        }
    for asked in (container.get("ContainerMetricsConfig") or {}).get("MetricsEndpoints", ()):
        return int(asked.get("MetricPublishFrequencyInSeconds", MINUTE)), found
    collected = config.get("MetricsConfig") or {}
    if collected.get("EnableDetailedObservability"):
        return int(collected.get("MetricPublishFrequencyInSeconds", MINUTE)), found
    return 0, found
