"""Servers, each with another combination of settings, under the load of one caller and a crowd."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline.client.base import Server, ask
from plumbline.client.load_generator import Run, load
from plumbline.client.local_server import served
from plumbline.client.tuning.setting_combinations import QUEUE, Trial
from plumbline.errors import CommandError

CROWD = 16
"""Callers at a time; each asks again as soon as it has its answer."""

FAR = 0.6
"""An engine that reaches less than this of the default in both is not tried any further."""

LEAST_SECONDS = 0.5
"""Of a single load, however little time there is."""


@dataclass(frozen=True)
class Measured:
    """How a combination did."""

    trial: Trial
    milliseconds: float
    """Of one caller's answer, the median."""
    rate: float
    """Answers a second to a crowd."""

    def is_far_behind(self, other: Measured) -> bool:
        """Whether another is so much better for any number of callers."""
        slower = self.rate < FAR * other.rate
        return slower and FAR * self.milliseconds > other.milliseconds


def measure(
    folder: Path,
    tried: Sequence[Trial],
    picture: bytes,
    seconds: float,
    advance: Callable[[str], None],
) -> list[Measured]:
    """Start a server for each in turn and load it, for so many seconds in all.

    An engine that can't serve the model, or is far behind the first trial, is tried once. Raises
    `CommandError` where the default can't serve it.
    """
    end = time.monotonic() + seconds
    found, hopeless = list[Measured](), set[str]()
    for number, trial in enumerate(tried):
        if trial.engine not in hopeless:
            left = sum(one.engine not in hopeless for one in tried[number:])
            try:
                found.append(under_load(folder, trial, picture, (end - time.monotonic()) / left))
                if found[-1].is_far_behind(found[0]):
                    hopeless.add(trial.engine)
            except CommandError:
                if trial.default:
                    raise
                hopeless.add(trial.engine)
        advance(str(trial))
    return found


def under_load(folder: Path, trial: Trial, picture: bytes, seconds: float) -> Measured:
    """One combination's figures; its start counts to its time. Raises `CommandError`."""
    start = time.monotonic()
    settings = {**trial.settings, "PLUMBLINE_QUEUE": str(QUEUE)}
    with served(folder, settings, trial.workers) as url:
        server = Server(url)
        ask(server, picture, "application/json", "")
        each = max(LEAST_SECONDS, (seconds - (time.monotonic() - start)) / 2)
        alone, crowd = (answered(load(server, [picture], count, each)) for count in (1, CROWD))
    return Measured(trial, alone.latencies[50], crowd.rate)


def answered(run: Run) -> Run:
    """The run. Raises `CommandError` if not all of it was answered."""
    if run.errors or not run.latencies:
        reasons = ", ".join(run.errors) or "none of its requests was over in time"
        raise CommandError(f"The server did not answer under load: {reasons}.")
    return run
