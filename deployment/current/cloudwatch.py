"""What CloudWatch knows: what containers have written, and which alarms went off."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.errors import DeploymentError
from deployment.plan import rollout
from deployment.plan.calls import Call, Look

STREAMS = 5
"""Containers whose last words are looked at; each has a stream of its own."""


@dataclass(frozen=True)
class Line:
    """One line of one container; `time` in milliseconds since 1970."""

    time: int
    stream: str
    text: str

    def __str__(self) -> str:
        """With its time, and as the server said it."""
        when = datetime.fromtimestamp(self.time / 1000, UTC)
        return f"{when:%Y-%m-%d %H:%M:%S} {self.stream.partition('/')[0]}  {message(self.text)}"


def message(line: str) -> str:
    """What a line of the log says; the server writes JSON."""
    try:
        said = json.loads(line)
    except ValueError:
        return line.rstrip()
    if not isinstance(said, dict) or "message" not in said:
        return line.rstrip()
    trace = said.get("traceback", "").rstrip()
    return f"{said['message']}\n{trace}" if trace else str(said["message"])


def tail(aws: Aws, name: str, count: int) -> list[Line]:
    """The last lines of all containers, the oldest first; none where there is no log yet."""
    lines = [line for stream in streams(aws, name) for line in last(aws, name, stream, count)]
    return sorted(lines, key=lambda line: line.time)[-count:]


def streams(aws: Aws, name: str) -> list[str]:
    """The streams that were written to last."""
    asked = {
        "logGroupName": names.log_group(name),
        "orderBy": "LastEventTime",
        "descending": True,
        "limit": STREAMS,
    }
    found = aws.look(Look(Call("logs", "DescribeLogStreams", asked), "logStreams"))
    return [each["logStreamName"] for each in found or ()]


def last(aws: Aws, name: str, stream: str, count: int) -> Iterator[Line]:
    """The last lines of one container."""
    asked = {
        "logGroupName": names.log_group(name),
        "logStreamName": stream,
        "limit": count,
        "startFromHead": False,
    }
    found: list[dict[str, Any]] = (
        aws.look(Look(Call("logs", "GetLogEvents", asked), "events")) or []
    )
    for event in found:
        yield Line(event["timestamp"], stream, event["message"])


def since(aws: Aws, name: str, time: int) -> Iterator[Line]:
    """All lines from a time on, as they came."""
    asked = {"logGroupName": names.log_group(name), "startTime": time}
    for event in aws.pages(Call("logs", "FilterLogEvents", asked), "events"):
        yield Line(event["timestamp"], event["logStreamName"], event["message"])


def kept_days(aws: Aws, name: str) -> int | None:
    """How long the endpoint's log is kept, if deploy.py or its template said so."""
    asked = {"logGroupNamePrefix": names.log_group(name)}
    for each in aws.pages(Call("logs", "DescribeLogGroups", asked), "logGroups"):
        if each["logGroupName"] == names.log_group(name) and "retentionInDays" in each:
            place = {"resourceArn": each["arn"].removesuffix(":*")}
            found = aws.ask(Call("logs", "ListTagsForResource", place))
            return int(each["retentionInDays"]) if found["tags"].get(names.TAG) == name else None
    return None


def of_job(aws: Aws, job: str, count: int, group: str = names.JOB_LOGS) -> list[Line]:
    """The last lines of a job; none where they can't be had, as they only explain."""
    try:
        return sorted(job_lines(aws, job, group), key=lambda line: line.time)[-count:]
    except DeploymentError:
        return []


def job_lines(aws: Aws, job: str, group: str, start: int = 0) -> Iterator[Line]:
    """The lines of a job from a time on, stream by stream."""
    asked = {"logGroupName": group, "logStreamNamePrefix": f"{job}/", "startTime": start}
    for each in aws.pages(Call("logs", "FilterLogEvents", asked), "events"):
        yield Line(each["timestamp"], each["logStreamName"], each["message"])


def tried(aws: Aws, name: str, count: int) -> tuple[list[Line], str]:
    """The last lines, or why they can't be had: a failure must not hide the one before."""
    try:
        return tail(aws, name, count), ""
    except DeploymentError as exc:
        return [], f"The log can't be read: {exc}"


def guards(aws: Aws, name: str) -> list[Mapping[str, Any]]:
    """The alarms that guard a roll-out, with their states."""
    asked = {"AlarmNames": rollout.alarms(name)}
    found: list[Mapping[str, Any]] | None = aws.look(
        Look(Call("cloudwatch", "DescribeAlarms", asked), "MetricAlarms")
    )
    return found or []
