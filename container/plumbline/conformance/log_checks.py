"""Group I: what can be seen of a container: its log and its metrics."""

from __future__ import annotations

import re
import time

from plumbline.conformance.invocation_checks import invoke
from plumbline.conformance.rules import (
    INFO,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    passed,
)
from plumbline.conformance.scenes import Scene

LOG = Group("I", "Log and metrics")

MOST_BYTES = 256 * 1024
"""Of an event of CloudWatch Logs."""

MOST_LINES = 100
"""A second, at rest; CloudWatch takes money for each."""

SAMPLE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?\s+'
    r"(?P<value>[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|Inf|NaN))(?:\s+-?\d+)?"
)
"""A line of Prometheus' text format."""


@LOG.check(
    55,
    SHOULD,
    Where.FIRST,
    "Each line of the log is one event of CloudWatch, of at most 256 KiB; at rest there are few.",
    "Log a line of JSON for each event, tracebacks included.",
)
def logs_events(scene: Scene) -> Finding:
    """After all those requests."""
    server = scene.running
    times = server.log_times(1)
    time.sleep(1.0)
    rate = sum(one > times[-1] for one in server.log_times(2 * MOST_LINES)) if times else 0
    if rate > MOST_LINES:
        return failed(f"it floods its log: more than {MOST_LINES} lines in a second at rest")
    lines = server.log().splitlines()
    longest = max((len(line.encode()) for line in lines), default=0)
    torn = [line for line in lines if line[:1] in (" ", "\t") and line.strip()]
    if longest > MOST_BYTES:
        return failed(f"a line of {longest:,} bytes")
    return found(not torn, f"torn over lines: {torn[0].strip()}" if torn else f"{len(lines)} lines")


@LOG.check(
    56,
    INFO,
    Where.FIRST,
    "SageMaker asks new endpoints for GET /metrics on port 8080 once a minute (Prometheus text).",
    "Offer counters and histograms in Prometheus' text format, below 1 MB and within 1 s.",
)
def has_metrics(scene: Scene) -> Finding:
    """Counters must rise with requests."""
    server = scene.running
    answer = server.ask("GET", "/metrics", seconds=60.0)
    if answer.status != 200:
        return failed(f"{answer.status}: SageMaker will find none")
    before, wrong = counted(answer.body)
    if wrong or len(answer.body) >= 10**6 or answer.seconds >= 1.0:
        slow = f"{len(answer.body):,} bytes in {answer.seconds:.1f} s"
        return failed(f"no Prometheus text: {wrong}" if wrong else slow)
    for _ in range(5):
        invoke(scene)
    after, _ = counted(server.ask("GET", "/metrics", seconds=60.0).body)
    if after <= before:
        return failed("no counter (…_total) has risen with 5 requests")
    return passed(f"{len(answer.body):,} bytes; counters rise with requests")


def counted(body: bytes) -> tuple[float, str]:
    """The sum of all counters, and the first line that is none of the format."""
    total = 0.0
    for line in body.decode(errors="replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line.strip())
        if match is None:
            return total, line
        if "_total" in line.partition("{")[0]:
            total += float(match["value"])
    return total, ""
