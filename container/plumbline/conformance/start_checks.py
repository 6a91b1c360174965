"""Group B: how a container starts."""

from __future__ import annotations

from plumbline.conformance.end_checks import end
from plumbline.conformance.image_checks import CAPABILITY, SHELLS
from plumbline.conformance.restriction_checks import PORT, holds_under
from plumbline.conformance.rules import (
    INFO,
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    not_judged,
    passed,
)
from plumbline.conformance.scenes import Scene
from plumbline.conformance.start import PING_SECONDS, watch
from plumbline.emulator.serving_container import Answer

START = Group("B", "The start")

HIDDEN = 10.0
"""Seconds for which a server may leave pings without an answer before it is healthy."""

SOON = 180.0
"""Seconds within which a serverless endpoint must be healthy."""

GRACE = 10.0
"""Seconds, beside twice the time of a good start, in which a broken model is to be told."""


@START.check(
    10,
    MUST,
    Where.LAST,
    "Signals go to process 1: it is the server, or a shell that has handed over by `exec`.",
    'End a start script with: exec server "$@".',
)
def is_first_process(scene: Scene) -> Finding:
    """A shell in front does no harm if SIGTERM arrives nevertheless: the end tells."""
    ending, name = end(scene), scene.facts["process 1"]
    if name is None:
        return not_judged("the engine does not list the container's processes")
    swallowed = not ending.in_time and name in SHELLS
    return found(not swallowed, f"process 1 is {name}{', and swallows SIGTERM' * swallowed}")


@START.check(
    11,
    MUST,
    Where.FIRST,
    "The server listens on port 8080, on all interfaces.",
    "Bind to 0.0.0.0:8080, not to 127.0.0.1.",
)
def listens(scene: Scene) -> Finding:
    """Over the container's own address."""
    start = scene.started
    if start.status is not None:
        return not_judged("the container has ended: see A2")
    if start.accepted is None:
        return failed(scene.problem or start.in_words(scene.running))
    return passed(f"the first answer came {start.accepted:.1f} s after the start")


@START.check(
    12,
    MUST,
    Where.RESTRICTED,
    "An image with the label accept-bind-to-port listens on the port of SAGEMAKER_BIND_TO_PORT.",
    "Read SAGEMAKER_BIND_TO_PORT, or remove the label.",
)
def honours_port(scene: Scene) -> Finding:
    """Only if it says so."""
    labels = scene.bench.image.labels
    if labels.get(f"{CAPABILITY}accept-bind-to-port", "").lower() != "true":
        return not_judged("the label is not set")
    wrong = holds_under(scene, {"environment": {"SAGEMAKER_BIND_TO_PORT": str(PORT)}})
    return found(not wrong, wrong or f"it serves on port {PORT}")


@START.check(
    13,
    SHOULD,
    Where.FIRST,
    "Connections are accepted within 250 ms, and a ping is answered while the model loads, too.",
    "Listen first and load in the background; answer 503 until the model can answer.",
)
def answers_while_loading(scene: Scene) -> Finding:
    """Whoever is healthy soon hides nothing."""
    start = scene.started
    if start.accepted is None:
        return not_judged("nothing was answered at all")
    if start.slowest_accept > 0.25:
        return failed(f"a connection took {start.slowest_accept * 1000:.0f} ms")
    if start.ready == start.answered and start.seconds > HIDDEN and start.accepted > HIDDEN:
        return failed(f"nothing was answered for {start.accepted:.0f} s, then 200 at once")
    if start.silent * PING_SECONDS > HIDDEN:
        return failed(f"{start.silent} pings were accepted and not answered within 2 s")
    statuses = ", ".join(f"{count} × {status}" for status, count in start.statuses.items())
    return passed(f"{statuses}; accepted within {start.slowest_accept * 1000:.0f} ms")


@START.check(
    14,
    MUST,
    Where.FIRST,
    "GET /ping returns 200 only once the model is ready: requests follow immediately.",
    "Answer 503 until the model is loaded and has answered once.",
)
def healthy_means_ready(scene: Scene) -> Finding:
    """The first request is sent as soon as the first ping said 200."""
    first = scene.started.first
    if not scene.is_ready:
        return not_judged("it was never healthy")
    if not isinstance(first, Answer):
        return failed(f"after the first 200 an invocation got {first}")
    wanted = range(200, 300) if scene.order.sample.given else range(200, 500)
    return found(first.status in wanted, f"after the first 200 an invocation got {first.status}")


@START.check(
    15,
    MUST,
    Where.FIRST,
    "A container is healthy within 8 minutes of its start (3 on a serverless endpoint), or the "
    "deployment fails.",
    "See the log; load less, or ask for ContainerStartupHealthCheckTimeoutInSeconds.",
)
def starts_in_time(scene: Scene) -> Finding:
    """Later than serverless endpoints allow is told as it."""
    start = scene.started
    if start.accepted is None:
        return not_judged("nothing was answered at all: see A2 and B11")
    if start.ready is None:
        return failed(scene.problem or start.in_words(scene.running))
    said = f"healthy {start.ready:.1f} s after the start"
    return found(start.ready <= SOON, said, INFO)


@START.check(
    16,
    MUST,
    Where.BROKEN,
    "With a model that can't be loaded the container ends or stays unhealthy, and the log says "
    "why.",
    "Load the model before a ping says 200, and log the error.",
)
def tells_broken_model(scene: Scene) -> Finding:
    """The model's files are cut in half."""
    if scene.server is None:
        return not_judged(scene.problem)
    server, usual = scene.server, scene.facts.get("usual", GRACE)
    start = watch(server, min(2 * usual + GRACE, scene.order.starts_within))
    if start.ready is not None:
        return failed(f"healthy after {start.ready:.1f} s with a model whose files are cut in half")
    lines = [line for line in server.log().splitlines() if line.strip()]
    if not lines:
        return failed(f"{start.in_words(server)}")
    return passed(start.in_words(server))
