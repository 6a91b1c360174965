"""Group D, too: bodies and connections as they come, and as they end."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from plumbline.conformance import raw_requests
from plumbline.conformance.invocation_checks import invoke, like_usual
from plumbline.conformance.ping_checks import ping
from plumbline.conformance.rules import (
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    no_answer,
)
from plumbline.conformance.scenes import Scene
from plumbline.emulator.serving_container import exchanged

CONNECTIONS = Group("D", "Bodies and connections")

MOST_BODY = 25 * 1024 * 1024

AT_ONCE = 16

HANGING_UP = 50


@CONNECTIONS.check(
    29,
    MUST,
    Where.FIRST,
    "A body of 25 MB is answered, or refused with 413; nothing is reset before the answer, and the "
    "server lives on.",
    "Raise the server's limit, and read what is refused before hanging up.",
)
def takes_large_bodies(scene: Scene) -> Finding:
    """Zeros, which are no sample."""
    address, headers = scene.running.address, scene.order.sample.headers
    answer = raw_requests.large(address, headers, MOST_BODY)
    after = ping(scene).status
    said = f"answered {answer.status} after {answer.seconds:.1f} s, then a ping {after}"
    return found(after == 200, said)


@CONNECTIONS.check(
    30,
    SHOULD,
    Where.FIRST,
    "A body may come in chunks, without a Content-Length.",
    "Read Transfer-Encoding: chunked; most servers have it behind a setting.",
)
def takes_chunks(scene: Scene) -> Finding:
    """The sample."""
    sample = scene.order.sample
    answer = raw_requests.chunked(scene.running.address, sample.headers, sample.body)
    return like_usual(scene, answer)


@CONNECTIONS.check(
    31,
    SHOULD,
    Where.FIRST,
    "Expect: 100-continue is answered, or ignored.",
    "Send 100 Continue, or read the body as ever.",
)
def takes_expectations(scene: Scene) -> Finding:
    """The body follows after a second even without."""
    sample = scene.order.sample
    invited, answer = raw_requests.expecting(scene.running.address, sample.headers, sample.body)
    finding = like_usual(scene, answer)
    said = f"100 Continue {'came' if invited else 'did not come'}; {finding.evidence}"
    return found(bool(finding.passed), said)


@CONNECTIONS.check(
    32,
    SHOULD,
    Where.FIRST,
    "A connection serves for many requests, also after a while without any.",
    "Speak HTTP/1.1 with Content-Length, and keep idle connections for more than a minute.",
)
def keeps_connections(scene: Scene) -> Finding:
    """Two requests, and a third after 1 s (60 s with --thorough)."""
    sample = scene.order.sample
    request = ("POST", "/invocations", sample.body, sample.headers)
    connection = scene.running.connect()
    try:
        for number, pause in enumerate((0.0, 0.0, scene.order.idle)):
            time.sleep(pause)
            if number and connection.sock is None:
                return failed(f"closed by the server after answer {number}")
            try:
                exchanged(connection, request, time.monotonic())
            except (OSError, http.client.HTTPException) as error:
                return failed(f"request {number + 1}, after {pause:g} s: {no_answer(error)}")
    finally:
        connection.close()
    return found(True, f"3 requests over one connection, idle for {scene.order.idle:g} s")


@CONNECTIONS.check(
    33,
    MUST,
    Where.FIRST,
    "Many requests at once are answered, or those too many refused with 503 or 429.",
    "Queue a few requests, and refuse the rest at once.",
)
def takes_a_crowd(scene: Scene) -> Finding:
    """Sixteen."""

    def outcome(_number: int) -> str:
        try:
            return str(invoke(scene).status)
        except (OSError, http.client.HTTPException) as error:
            return no_answer(error)

    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = Counter(pool.map(outcome, range(AT_ONCE)))
    took = time.monotonic() - begun
    good = all(text.isdigit() and (int(text) < 500 or text == "503") for text in outcomes)
    said = ", ".join(f"{count} × {text}" for text, count in outcomes.items())
    return found(good, f"{said} in {took:.1f} s")


@CONNECTIONS.check(
    34,
    MUST,
    Where.FIRST,
    "A client that hangs up in the middle of its body does no harm.",
    "Give up a request whose connection has ended, and its slot with it.",
)
def survives_hanging_up(scene: Scene) -> Finding:
    """Fifty of them; then all is as ever."""
    server, sample = scene.running, scene.order.sample
    for _ in range(HANGING_UP):
        raw_requests.hung_up(server.address, sample.headers, sample.body)
    if (status := ping(scene).status) != 200:
        return failed(f"after {HANGING_UP} of them a ping says {status}")
    finding = like_usual(scene, invoke(scene))
    return found(bool(finding.passed), f"after {HANGING_UP} of them {finding.evidence}")


@CONNECTIONS.check(
    35,
    SHOULD,
    Where.FIRST,
    "An unknown path is 404, and GET /invocations 405.",
    "Route only what there is.",
)
def knows_its_paths(scene: Scene) -> Finding:
    """Two that nobody should ask for."""
    nowhere = scene.running.ask("GET", "/nowhere-at-all").status
    got = scene.running.ask("GET", "/invocations").status
    said = f"GET /nowhere-at-all {nowhere}, GET /invocations {got}"
    return found(nowhere == 404 and got == 405, said)
