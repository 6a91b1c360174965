"""A training job or a search at work: how it is, what it says, and how it ended."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.outage import Outage
from deployment.current import cloudwatch, trainings
from deployment.current.cloudwatch import Line
from deployment.errors import NotAllowed, Refused, TrainingFailed
from deployment.plan import training
from deployment.plan.state import Described
from deployment.terminal.progress import TALK, say

PAUSE = 10.0
"""Seconds between two looks."""

EPOCH = re.compile(r"Epoch\[(\d+)\].*Time cost=([0-9.]+)")
"""How a recipe ends an epoch: its number from 0, and the seconds that it took."""

MEANINGS = {
    "Interrupted": "AWS took the Spot instance away; another resumes from the checkpoint",
    "MaxRuntimeExceeded": "it ran as long as --max-runtime allows",
    "MaxWaitTimeExceeded": "no Spot instance was free as long as --max-wait allows",
}


@dataclass
class Watch:
    """Looks at a training job until it ends; `aloud` shows the lines of its log, too."""

    aws: Aws
    job: str
    aloud: bool = False
    changes: int = 0
    """How many changes of its state were told."""
    told: list[str] = field(default_factory=list)
    known: set[Line] = field(default_factory=set)
    start: int = 0
    left: float | None = None
    """Seconds that the epochs will take that are left, by those before."""

    def until_end(self) -> Described:
        """The job as it ended, whether well or not."""
        outage = Outage(say)
        while True:
            found: Described | None = outage.borne(self.look)
            if found and found["TrainingJobStatus"] not in training.AT_WORK:
                if self.aloud:
                    time.sleep(PAUSE)  # the last lines come after the end
                    outage.borne(partial(self.lines, found))
                TALK.stop()
                return found
            time.sleep(PAUSE)

    def look(self) -> Described:
        """How it is now; what is new is said."""
        found: Described = trainings.described(self.aws, "training job", self.job)
        listed = list(changes(found))
        for change in listed[self.changes :]:
            say(change)
        self.changes = len(listed)
        if self.aloud:
            self.lines(found)
        if numbers := metrics(found):
            self.once(numbers)
        TALK.status(f"{self.job}: {in_short(found, self.left)}")
        return found

    def once(self, text: str) -> None:
        """Say what was not said yet."""
        if text not in self.told:
            self.told.append(text)
            say(text)

    def lines(self, found: Described) -> None:
        """The lines of the log that are new, on standard output."""
        listed = cloudwatch.job_lines(self.aws, self.job, names.TRAINING_LOGS, self.start)
        try:
            fresh = [each for each in listed if each not in self.known]
        except (NotAllowed, Refused) as exc:
            self.once(f"The log can't be read, and the job goes on. {exc}")
            return
        fresh.sort(key=lambda line: line.time)
        TALK.stop()
        for line in fresh:
            click.echo(str(line))
        self.start = max((line.time for line in (*fresh, *self.known)), default=0)
        self.known = {line for line in (*fresh, *self.known) if line.time >= self.start}
        self.left = epochs_left(found, fresh, self.left)


def epochs_left(found: Described, lines: Iterable[Line], before: float | None) -> float | None:
    """Seconds that the epochs will take that are left; None where that can't be known."""
    epochs = (found.get("HyperParameters") or {}).get("epochs", "")
    for line in lines:
        if (ended := EPOCH.search(line.text)) and epochs.isdigit():
            before = (int(epochs) - 1 - int(ended[1])) * float(ended[2])
    return before


def changes(found: Described) -> Iterator[str]:
    """What has happened to a job so far, a line each."""
    for each in found.get("SecondaryStatusTransitions") or ():
        meaning = MEANINGS.get(each["Status"]) or each.get("StatusMessage") or ""
        yield f"{each['Status']}: {meaning}".rstrip(": ")


def metrics(found: Described) -> str:
    """The newest number of each metric."""
    listed = found.get("FinalMetricDataList") or ()
    return ", ".join(f"{each['MetricName']} {each['Value']:.6g}" for each in listed)


def in_short(found: Described, left: float | None = None) -> str:
    """How a job is, in a line."""
    state, more = found["TrainingJobStatus"], found.get("SecondaryStatus", "")
    words = [state if state == more or not more else f"{state} ({more})"]
    started = found.get("TrainingStartTime")
    if started and state in training.AT_WORK:
        gone = (datetime.now(UTC) - started).total_seconds()
        most = found["StoppingCondition"]["MaxRuntimeInSeconds"] - gone
        words.append(f"{minutes(gone)} by now")
        words.append(f"about {minutes(left)} left" if left is not None else at_most(most))
    return ", ".join(words)


def at_most(seconds: float) -> str:
    """The end that --max-runtime sets."""
    return f"{minutes(max(seconds, 0))} left at most"


def minutes(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@contextmanager
def offered(aws: Aws, command: str, what: str, *, up: bool) -> Iterator[None]:
    """Where the watching breaks off, say that the job goes on, and how to watch and how to end it.

    A job that has ended needs no such words.
    """
    try:
        yield
    except TrainingFailed:
        raise
    except BaseException:
        then = " --up" if up else ""
        say(f"{what} goes on at AWS without this command. Watched again, or ended:")
        say(f"  python deploy.py {command} --follow{then} {aws.where}")
        say(f"  python deploy.py {command} --stop {aws.where}")
        raise


# -- searches -------------------------------------------------------------------------------------


@dataclass
class SearchWatch:
    """Looks at a search until it ends."""

    aws: Aws
    job: str
    told: str = ""

    def until_end(self) -> Described:
        """The search as it ended, whether well or not."""
        outage = Outage(say)
        while True:
            found: Described | None = outage.borne(self.look)
            if found and found["HyperParameterTuningJobStatus"] not in training.AT_WORK:
                TALK.stop()
                return found
            time.sleep(PAUSE)

    def look(self) -> Described:
        """How it is now; what is new is said."""
        found: Described = trainings.described(self.aws, "search", self.job)
        now = standing(found)
        if now != self.told:
            say(now)
        self.told = now
        TALK.status(f"{self.job}: {found['HyperParameterTuningJobStatus']}")
        return found


def standing(found: Described) -> str:
    """How many jobs there were, and the best so far."""
    counts = found.get("TrainingJobStatusCounters") or {}
    jobs = found["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    failed = counts.get("NonRetryableError", 0)
    words = [
        f"{counts.get('Completed', 0) + counts.get('Stopped', 0)} of {jobs} jobs are done",
        f"{counts.get('InProgress', 0)} at work",
        *([f"{failed} failed"] if failed else []),
    ]
    return f"{', '.join(words)}{best_in_words(found)}"


def best_in_words(found: Described) -> str:
    """The best so far, and what it was set to."""
    best = found.get("BestTrainingJob") or {}
    metric = best.get("FinalHyperParameterTuningJobObjectiveMetric")
    if not metric:
        return ""
    tuned: Mapping[str, Any] = best.get("TunedHyperParameters") or {}
    chosen = ", ".join(f"{name}={str(value).strip(chr(34))}" for name, value in tuned.items())
    return f"; best {metric['MetricName']} {metric['Value']:.6g} with {chosen}"
