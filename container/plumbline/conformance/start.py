"""How a container starts, watched from outside until a ping says 200."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from dataclasses import dataclass, field

from plumbline.conformance.inside import answers_inside
from plumbline.conformance.order import Sample
from plumbline.conformance.rules import no_answer
from plumbline.emulator.serving_container import PORT, Answer, ServingContainer, exchanged

PAUSE = 0.05
"""Seconds between pings."""

PING_SECONDS = 2.0
"""As long as SageMaker waits for the answer to a ping."""

LOOK_INSIDE = 3.0
"""Seconds of refused connections after which it is asked whether somebody listens inside."""


@dataclass
class Start:
    """What was seen; seconds are since the container was started."""

    begun: float
    refused: int = 0
    accepted: float | None = None
    slowest_accept: float = 0.0
    """Seconds; of the connections after the first that was accepted."""
    statuses: Counter[int] = field(default_factory=Counter)
    silent: int = 0
    """Pings without an answer in time, on a connection that was accepted."""
    answered: float | None = None
    ready: float | None = None
    status: int | None = None
    """The container's exit status, if it has ended."""
    elsewhere: str = ""
    """Where the server listens, if that is not where it should."""
    first: Answer | str = "it was not sent"
    """What came of the first invocation, sent as soon as a ping said 200."""

    @property
    def seconds(self) -> float:
        """Since the container was started."""
        return time.monotonic() - self.begun

    def in_words(self, server: ServingContainer) -> str:
        """Why it is not ready, with the end of the log."""
        lines = [line for line in server.log().splitlines() if line.strip()]
        said = f"; its log ends: {lines[-1]}" if lines else "; its log is empty"
        if self.status is not None:
            return f"the container ended with exit status {self.status}{said}"
        if self.elsewhere:
            return f"the server listens on {self.elsewhere}"
        if self.answered is None:
            return f"no ping was answered within {self.seconds:.0f} s{said}"
        counted = ", ".join(f"{count} × {status}" for status, count in self.statuses.items())
        return f"pings were answered {counted}, never 200, within {self.seconds:.0f} s{said}"


def watch(server: ServingContainer, within: float, sample: Sample | None = None) -> Start:
    """Ping until it is ready, has ended, or the time is up; then send the sample at once."""
    start = Start(time.monotonic())
    looked = False
    while start.ready is None and start.seconds < within:
        if not server.is_running():
            start.status = server.end()
            return start
        ping(server, start)
        if start.accepted is None and start.seconds > LOOK_INSIDE and not looked:
            looked, start.elsewhere = True, hides(server, start)
            if start.elsewhere:
                return start
        if start.ready is None:
            time.sleep(PAUSE)
    if start.ready is not None and sample is not None:
        try:
            start.first = server.ask("POST", "/invocations", sample.body, sample.headers, 60.0)
        except (OSError, http.client.HTTPException) as error:
            start.first = no_answer(error)
    return start


def wait_for_answer(server: ServingContainer, within: float) -> None:
    """Return as soon as any ping is answered, or when the time is up."""
    start = Start(time.monotonic())
    while start.answered is None and start.seconds < within and server.is_running():
        ping(server, start)
        time.sleep(PAUSE)


def hides(server: ServingContainer, start: Start) -> str:
    """Where a server answers inside, and not outside; it may have begun to listen just now."""
    place = "127.0.0.1 alone" if answers_inside(server, server.port) else ""
    if not place and server.port != PORT and answers_inside(server, PORT):
        place = f"port {PORT}"
    ping(server, start)
    return place if start.accepted is None and not start.silent else ""


def ping(server: ServingContainer, start: Start) -> None:
    """One ping on a connection of its own, and what is learnt from it."""
    begun = time.monotonic()
    try:
        connection = server.connect(PING_SECONDS)
    except (OSError, LookupError):
        start.refused += 1
        return
    took = time.monotonic() - begun
    try:
        answer = exchanged(connection, ("GET", "/ping", None, {}), begun)
    except (OSError, http.client.HTTPException) as error:
        # Docker's proxy takes a connection and drops it where nobody listens.
        start.silent += isinstance(error, TimeoutError)
        return
    finally:
        connection.close()
    if start.accepted is None:
        start.accepted = start.answered = start.seconds
    start.slowest_accept = max(start.slowest_accept, took)
    start.statuses[answer.status] += 1
    if answer.status == 200:
        start.ready = start.seconds
