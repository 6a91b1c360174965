"""The load: wrk, written in C so that it costs little, posts a file over so many connections."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "post.lua"

LONGEST = 60
"""Seconds after which an answer counts as none."""


@dataclass(frozen=True)
class Request:
    """What is sent, and where."""

    url: str
    body: Path
    content_type: str
    accept: str
    is_kept: bool = True
    """Whether a connection serves for more than one request."""


@dataclass(frozen=True)
class Load:
    """How a server did; latencies are in milliseconds, as the client saw them.

    `errors` are answers that were not 200 to 399, and connections that failed; `client` is the CPU
    time that wrk itself took, in cores.
    """

    connections: int
    answers: int
    errors: int
    seconds: float
    p50: float
    p90: float
    p99: float
    client: float

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.answers / self.seconds


def read(text: str, connections: int, client_seconds: float) -> Load:
    """What wrk printed. Raises `ValueError` where the line of `post.lua` is missing."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise ValueError(f"wrk did not say how it went: {text.strip()[-500:] or 'it said nothing'}")
    said: dict[str, Any] = json.loads(lines[-1])
    seconds = said["microseconds"] / 1e6
    failed = sum(said[kind] for kind in ("connect", "read", "write", "timeout"))
    return Load(
        connections=connections,
        answers=said["requests"] - said["status"],
        errors=failed + said["status"],
        seconds=seconds,
        p50=said["p50"] / 1000,
        p90=said["p90"] / 1000,
        p99=said["p99"] / 1000,
        client=client_seconds / seconds,
    )


def post(request: Request, connections: int, seconds: int) -> Load:
    """Load a server for so long; wrk takes whole seconds. Raises `ValueError` where wrk fails."""
    command = [
        *("wrk", "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds}s", "--timeout", f"{LONGEST}s", "--script", str(SCRIPT)),
        *(request.url, "--", str(request.body), request.content_type, request.accept),
        *([] if request.is_kept else ["close"]),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    try:
        text = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return read(text, connections, usage.ru_utime + usage.ru_stime)
