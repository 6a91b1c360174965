"""What was typed of standing alarms → whom they tell, and of what latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployment.errors import Misuse
from deployment.plan.order import Alarms
from deployment.terminal import autoscale

NO_ALARMS = "none"
"""What --alarms takes for an endpoint that nothing watches."""


def alarms(asked: Mapping[str, Any], before: Alarms | None = None) -> Alarms | None:
    """Which topic standing alarms tell, and of what latency. Raises `Misuse`."""
    topic, latency = asked["alarms"] or (before and before.topic), asked["alarm_latency"]
    if not topic or topic == NO_ALARMS:
        if latency is not None:
            raise Misuse("--alarm-latency goes with --alarms TOPIC, the ARN of an SNS topic.")
        return None
    if latency is None and asked.get("benchmark") is not None:
        run = autoscale.best(
            autoscale.read(asked["benchmark"]), autoscale.given(asked["p95"], autoscale.P95)
        )
        latency = TIMES_P95 * run["p95_ms"]
    return Alarms(topic, latency or (before or Alarms("")).latency)


def new_alarms(asked: Mapping[str, Any]) -> Alarms | None:
    """The same where there need be none yet. Raises `Misuse`."""
    if asked["alarms"] == NO_ALARMS:
        raise Misuse("`python deploy.py update NAME --alarms none` is what ends standing alarms.")
    return alarms(asked)


TIMES_P95 = 2
"""What 99 of 100 requests may take, as a multiple of what 95 took when it was measured."""
