"""Group C: the health check, at rest and in a crowd."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from plumbline.conformance.rules import (
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
)
from plumbline.conformance.scenes import Scene
from plumbline.conformance.start import PING_SECONDS
from plumbline.emulator.serving_container import Answer

PING = Group("C", "The health check")

PINGS = 50

CROWD = 16
"""Connections that keep invocations going while pings are timed."""

EXTRA = 8.0
"""Seconds that a late ping is waited for, so that it can be told how late it was."""


def ping(scene: Scene) -> Answer:
    """One `GET /ping`."""
    return scene.running.ask("GET", "/ping", seconds=PING_SECONDS + EXTRA)


@PING.check(
    17,
    MUST,
    Where.FIRST,
    "GET /ping answers 200 with an empty body once the model can answer.",
    "Return status 200 and no body.",
)
def says_200(scene: Scene) -> Finding:
    """A body does little harm."""
    answer = ping(scene)
    said = f"{answer.status} and {len(answer.body)} bytes"
    if answer.status != 200:
        return failed(said)
    return found(not answer.body, said, SHOULD)


@PING.check(
    18,
    MUST,
    Where.FIRST,
    "A ping is answered within 2 s.",
    "Answer pings without computing anything.",
)
def is_quick(scene: Scene) -> Finding:
    """At rest."""
    slowest = max(ping(scene).seconds for _ in range(3))
    return found(slowest <= PING_SECONDS, f"the slowest of 3 took {slowest * 1000:.0f} ms")


@PING.check(
    19,
    MUST,
    Where.FIRST,
    "A ping is answered within 2 s while every slot is busy, too; if not, the instance is replaced "
    "in the middle of its work.",
    "Answer pings on a thread or process that no invocation can take.",
)
def is_quick_in_a_crowd(scene: Scene) -> Finding:
    """Invocations from 16 connections for 2 s (20 s with --thorough)."""
    sample, server = scene.order.sample, scene.running
    over, end = threading.Event(), time.monotonic() + scene.order.crowded
    asked = []

    def invoke() -> None:
        while not over.is_set():
            with suppress(OSError, http.client.HTTPException):
                asked.append(server.ask("POST", "/invocations", sample.body, sample.headers, 60.0))

    with ThreadPoolExecutor(CROWD) as pool:
        try:
            for _ in range(CROWD):
                pool.submit(invoke)
            pings = []
            while time.monotonic() < end:
                pings.append(ping(scene))
                time.sleep(0.05)
        finally:
            over.set()
    slowest = max(answer.seconds for answer in pings)
    wrong = [answer.status for answer in pings if answer.status != 200]
    sent = f"pings: {len(pings)}, invocations meanwhile: {len(asked)}"
    said = f"{sent}; the slowest ping took {slowest * 1000:.0f} ms"
    if wrong:
        return failed(f"{said}; {len(wrong)} said {wrong[0]}")
    return found(slowest <= PING_SECONDS, said)


@PING.check(
    20,
    MUST,
    Where.FIRST,
    "A healthy container stays healthy: health checks come every few seconds.",
    "Let a ping say 200 until the server can't answer any more.",
)
def stays_healthy(scene: Scene) -> Finding:
    """Fifty pings, one after another."""
    scene.facts["log before pings"] = scene.running.log().count("\n")
    answers = [ping(scene) for _ in range(PINGS)]
    wrong = [answer.status for answer in answers if answer.status != 200]
    return found(not wrong, f"{PINGS - len(wrong)} of {PINGS} said 200 {wrong[:3] or ''}".strip())


@PING.check(
    21,
    SHOULD,
    Where.FIRST,
    "Health checks are not logged: the lines would cost money and hide errors.",
    "Leave /ping out of the access log.",
)
def is_not_logged(scene: Scene) -> Finding:
    """Lines that name the path, after fifty more pings."""
    before = pings_logged(scene)
    for _ in range(PINGS):
        ping(scene)
    time.sleep(0.3)
    lines = pings_logged(scene) - before
    return found(lines < PINGS, f"{PINGS} pings made {lines} lines of log that name /ping")


def pings_logged(scene: Scene) -> int:
    """Lines of the log that name the path."""
    return sum("/ping" in line for line in scene.running.log().splitlines())
