"""Group F: the end, for which SageMaker gives half a minute."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import PurePosixPath

from plumbline.conformance.flights import flying
from plumbline.conformance.image_checks import SHELLS
from plumbline.conformance.rules import (
    MUST,
    SHOULD,
    Finding,
    Group,
    Where,
    failed,
    found,
    not_judged,
)
from plumbline.conformance.scenes import Scene
from plumbline.conformance.start import wait_for_answer

END = Group("F", "The end")

CLEAN = (0, 143)
"""Exit statuses of those who end because they were asked to."""

MOST_OF_IT = 0.7
"""Of the time that a start takes: it has begun to load then, and is not ready."""

LEAST = 3.0
"""Seconds: whoever starts in less has no load worth ending, and may still be before its handler."""


@dataclass(frozen=True)
class Ending:
    """What came of SIGTERM."""

    in_time: bool
    seconds: float
    status: int | None
    taken: int
    """Requests that were on their way when it came."""
    lost: int
    """Those of them without an answer."""

    @property
    def words(self) -> str:
        """How it went."""
        after = f"exit status {self.status} after {self.seconds:.1f} s"
        return after if self.in_time else f"still running {self.seconds:.0f} s after SIGTERM"


def first_process(scene: Scene) -> str | None:
    """The name of the container's process 1."""
    from docker.errors import APIError

    try:
        listed = scene.running.container.top(ps_args="-o pid,ppid,args")
    except APIError:
        return None
    rows = [dict(zip(listed["Titles"], row, strict=False)) for row in listed["Processes"]]
    known = {row.get("PID") for row in rows}
    commands = [str(row["COMMAND"]) for row in rows if row.get("PPID") not in known]
    return PurePosixPath(commands[0].split()[0]).name if commands else None


def ended(scene: Scene, begun: float) -> tuple[int | None, float]:
    """The exit status, or None where the time was up; and the seconds that it took."""
    status: int | None = None
    while status is None and time.monotonic() - begun < scene.order.ends_within:
        if scene.running.is_running():
            time.sleep(0.05)
        else:
            status = scene.running.end()
    took = time.monotonic() - begun
    if status is None:
        scene.running.container.kill("SIGKILL")
    return status, took


def end(scene: Scene) -> Ending:
    """SIGTERM while requests are on their way; done once."""
    if "ending" not in scene.facts:
        scene.facts["process 1"] = first_process(scene)
        scene.facts["ending"] = ended_in_flight(scene)
    known: Ending = scene.facts["ending"]
    return known


def ended_in_flight(scene: Scene) -> Ending:
    """What becomes of the requests that were sent before SIGTERM, and of the container."""
    with flying(scene.running.address, scene.order.sample) as flights:
        begun = time.monotonic()
        scene.running.container.kill("SIGTERM")
        flights.land()
        status, took = ended(scene, begun)
    taken = flights.taken(begun)
    lost = sum(not one.answered for one in taken)
    return Ending(status is not None, took, status, len(taken), lost)


@END.check(
    42,
    MUST,
    Where.LAST,
    "SIGTERM comes while requests are in flight: they are answered, and the container ends within "
    "30 s, with 0 or 143; then comes SIGKILL.",
    "At SIGTERM take no more connections, answer what has come, then exit.",
)
def ends_well(scene: Scene) -> Finding:
    """Eight connections ask as fast as they can."""
    ending = end(scene)
    if not ending.in_time and scene.facts.get("process 1") in SHELLS:
        return not_judged("the signal does not arrive: see B10")
    if ending.in_time and not ending.taken:
        return not_judged("no request could be kept in flight until SIGTERM came")
    said = f"{ending.words}; {ending.taken} requests were in flight, {ending.lost} were lost"
    if not ending.in_time or ending.lost:
        return failed(said)
    return found(ending.status in CLEAN, said, SHOULD)


@END.check(
    43,
    MUST,
    Where.LOADING,
    "SIGTERM ends a container within 30 s while it loads, too.",
    "Install the handler of SIGTERM before the model is loaded.",
)
def ends_early(scene: Scene) -> Finding:
    """As soon as it answers anything; else after most of the time that a start takes."""
    wait_for_answer(scene.running, max(MOST_OF_IT * scene.facts["usual"], LEAST))
    name = first_process(scene)
    begun = time.monotonic()
    scene.running.container.kill("SIGTERM")
    status, took = ended(scene, begun)
    if status is None and name in SHELLS:
        return not_judged("the signal does not arrive: see B10")
    return found(status is not None, Ending(status is not None, took, status, 0, 0).words)
