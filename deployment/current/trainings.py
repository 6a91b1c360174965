"""Training jobs and searches of a deployment, by their names and tags, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.current.tags import is_ours
from deployment.errors import Refused
from deployment.plan import search, training
from deployment.plan.calls import Call
from deployment.plan.state import Described, Existing

KINDS: dict[str, tuple[str, str, str, Callable[[str, str], bool]]] = {
    "training job": ("ListTrainingJobs", "TrainingJobSummaries", "TrainingJob", names.is_timed),
    "search": (
        "ListHyperParameterTuningJobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJob",
        names.is_search,
    ),
}
"""How each kind is listed: the call, the key of its list, the noun in other keys, whose it is."""


def listed(aws: Aws, name: str, kind: str, states: tuple[str, ...] = ()) -> Iterator[Described]:
    """The jobs of a deployment as AWS lists them; in one of some states, if they are named."""
    operation, key, noun, is_named = KINDS[kind]
    found = aws.pages(Call("sagemaker", operation, {"NameContains": name}), key)
    named = [each for each in found if is_named(name, each[f"{noun}Name"])]
    for each in sorted(named, key=lambda each: each[f"{noun}Name"], reverse=True):
        if states and each[f"{noun}Status"] not in states:
            continue
        if is_ours(aws, each[f"{noun}Arn"], name):
            yield each


def newest(aws: Aws, name: str, kind: str) -> Any:
    """The newest as AWS describes it. Raises `Refused` where there is none."""
    noun = KINDS[kind][2]
    for each in listed(aws, name, kind):
        return described(aws, kind, each[f"{noun}Name"])
    raise Refused(
        f"There is no {kind} of {name} in {aws.region}, or none is left. One in another region is "
        "seen with --region alone.",
        "not found",
    )


def described(aws: Aws, kind: str, job: str) -> Any:
    """One as AWS describes it. Raises `Refused` where it is gone."""
    look = search.look_at(job) if kind == "search" else training.look_at(job)
    found = aws.look(look)
    if found is None:
        raise Refused(f"The {kind} {job} is gone: somebody has removed it.", "not found")
    return found


def at_work(aws: Aws, name: str, kind: str) -> str:
    """The name of the one that is at work; empty where none is."""
    noun = KINDS[kind][2]
    found = next(listed(aws, name, kind, training.AT_WORK), {})
    return str(found.get(f"{noun}Name", ""))


def trials(aws: Aws, searched: str) -> Iterator[Described]:
    """The training jobs of a search."""
    asked = Call("sagemaker", "ListTrainingJobs", {"NameContains": searched})
    for each in aws.pages(asked, "TrainingJobSummaries"):
        if names.search_of(each["TrainingJobName"]) == searched:
            yield each


# -- for `down` -----------------------------------------------------------------------------------

TRAINING, SEARCH = KINDS


def added(aws: Aws, found: Existing) -> Existing:
    """The same with its training jobs and searches."""
    jobs = list(listed(aws, found.name, TRAINING))
    searches = list(listed(aws, found.name, SEARCH))
    of_searches = [each["HyperParameterTuningJobName"] for each in searches]
    tried = [job for each in of_searches for job in trials(aws, each)]
    records = [
        *((TRAINING, each) for each in named([*tried, *jobs], TRAINING, ENDED)),
        *((SEARCH, each) for each in named(searches, SEARCH, ENDED)),
    ]
    return replace(
        found,
        trainings=named(jobs, TRAINING, training.AT_WORK),
        searches=named(searches, SEARCH, training.AT_WORK),
        warm=tuple(
            job["TrainingJobName"]
            for job in jobs
            if (job.get("WarmPoolStatus") or {}).get("Status") == "Available"
        ),
        records=tuple(records),
    )


ENDED = ("Completed", "Failed", "Stopped", "DeleteFailed")
"""A record is all that is left of such a job."""


def named(jobs: Iterable[Described], kind: str, states: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the jobs that are in one of these states."""
    noun = KINDS[kind][2]
    return tuple(str(each[f"{noun}Name"]) for each in jobs if each[f"{noun}Status"] in states)


def buckets_of(aws: Aws, found: Existing) -> Iterator[str]:
    """The buckets that jobs and searches write to; the jobs of a search write where it does."""
    jobs = [
        *((TRAINING, job) for job in found.trainings),
        *((SEARCH, job) for job in found.searches),
    ]
    for kind, job in (*jobs, *found.records):
        if names.search_of(job):
            continue
        described = aws.look((search if kind == SEARCH else training).look_at(job)) or {}
        told = described.get("TrainingJobDefinition") or described
        if url := (told.get("OutputDataConfig") or {}).get("S3OutputPath"):
            yield place(url)[0]
