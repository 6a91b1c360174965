"""Ranges of hyperparameters → the calls that search them: a tuning job of many training jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployment import names
from deployment.plan.calls import Call, Look, Make, Plan, Remove
from deployment.plan.training import AT_WORK, Training, ceiling, costs, data_steps, definition

STRATEGIES = {
    "bayesian": "Bayesian",
    "random": "Random",
    "grid": "Grid",
    "hyperband": "Hyperband",
}
"""As they are typed, and as SageMaker calls them."""

SCALES: Mapping[str | None, str] = {
    None: "Auto",
    "linear": "Linear",
    "log": "Logarithmic",
    "reverse-log": "ReverseLogarithmic",
}

LONGEST_NAME = 32 - 13
"""SageMaker takes 32 characters for a search; a hyphen and the time are 13."""


@dataclass(frozen=True)
class Range:
    """All numbers from `least` to `most`, as they are written; only whole ones if `whole`."""

    name: str
    least: str
    most: str
    scale: str = "Auto"
    whole: bool = False


@dataclass(frozen=True)
class Search:
    """Which values are tried, how they are chosen, and what is best."""

    objective: str
    ranges: tuple[Range, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    jobs: int = 10
    parallel: int = 2
    strategy: str = "bayesian"
    minimized: bool = False
    early_stop: bool = False


def problems(training: Training, search: Search) -> Iterator[str]:
    """All that is wrong with a search, a sentence each."""
    if len(training.name) > LONGEST_NAME:
        yield (
            f"{training.name} has {len(training.name)} characters, and the name of a search "
            f"{LONGEST_NAME} at most: SageMaker takes 32, and the time is added."
        )
    yield from choice_problems(training, search)
    yield from strategy_problems(training, search)
    if training.limits.warm:
        yield "--warm is for single jobs: SageMaker keeps no instance warm for a search."
    if search.parallel > search.jobs:
        yield (
            f"--parallel {search.parallel} is more than --jobs {search.jobs}, the number of all."
        )
    if search.objective not in training.metrics:
        known = ", ".join(training.metrics) or "none: --metric NAME=REGEX says one"
        yield f"--objective {search.objective}: the metrics of this job are {known}."


def choice_problems(training: Training, search: Search) -> Iterator[str]:
    """What is searched."""
    searched = [*(each.name for each in search.ranges), *search.choices]
    if not searched:
        yield (
            "Say what is searched: --range learning_rate=1e-4..1e-1:log, or "
            "--choose optimizer=adam,sgd; both several times."
        )
    for name in searched:
        if name in training.hyperparameters:
            yield f"{name} has a value by --set, and is searched: one of the two."
        if searched.count(name) > 1:
            yield f"{name} is searched twice: one --range or one --choose for each."


def strategy_problems(training: Training, search: Search) -> Iterator[str]:
    """What not every strategy can do."""
    if search.strategy == "grid" and search.ranges:
        yield (
            "--strategy grid tries all of what --choose lists, and takes no --range: write "
            f"--choose {search.ranges[0].name}=… with the values to try."
        )
    if search.strategy == "hyperband":
        if search.early_stop:
            yield "--strategy hyperband stops bad jobs early by itself: leave out --early-stop."
        if not training.hyperparameters.get("epochs", "").isdigit():
            yield (
                "--strategy hyperband shares out epochs, and has to know the most that a job may "
                "have: --set epochs=30, say."
            )


# -- the plan -------------------------------------------------------------------------------------


def plan_search(training: Training, search: Search, job: str) -> Plan:
    """The bucket and the data, unless they are there, and the search."""
    call = creation(training, search, job)
    make = Make(f"search {job}", call, look_at(job), doing="Starting")
    machines, *stored = ceiling(training.instance, training.limits.run, search.jobs)
    sentences = (machines, *stored, *list(costs(training))[1:])
    return Plan(training.name, training.region, (*data_steps(training), make), sentences)


def creation(training: Training, search: Search, job: str) -> Call:
    """What CreateHyperParameterTuningJob is told."""
    told = {
        "StaticHyperParameters": dict(training.hyperparameters),
        **definition(training, job),
    }
    parameters: dict[str, Any] = {
        "HyperParameterTuningJobName": job,
        "HyperParameterTuningJobConfig": configuration(training, search),
        "TrainingJobDefinition": told,
        "Tags": [
            *names.tags(training.name, training.tags),
            {"Key": names.REQUEST, "Value": request(training, search)},
        ],
    }
    return Call("sagemaker", "CreateHyperParameterTuningJob", parameters)


def request(training: Training, search: Search) -> str:
    """What the same request always gives, and others don't."""
    asked = {
        **definition(training, ""),
        "HyperParameters": dict(training.hyperparameters),
        "Tuning": configuration(training, search),
    }
    return names.fingerprint(asked)


def configuration(training: Training, search: Search) -> dict[str, Any]:
    """What is searched, and how."""
    parameters: dict[str, Any] = {
        "Strategy": STRATEGIES[search.strategy],
        "HyperParameterTuningJobObjective": {
            "Type": "Minimize" if search.minimized else "Maximize",
            "MetricName": search.objective,
        },
        "ResourceLimits": {
            "MaxNumberOfTrainingJobs": search.jobs,
            "MaxParallelTrainingJobs": search.parallel,
        },
        "ParameterRanges": {
            "IntegerParameterRanges": [numbers(each) for each in search.ranges if each.whole],
            "ContinuousParameterRanges": [
                numbers(each) for each in search.ranges if not each.whole
            ],
            "CategoricalParameterRanges": [
                {"Name": name, "Values": list(values)} for name, values in search.choices.items()
            ],
        },
        "TrainingJobEarlyStoppingType": "Auto" if search.early_stop else "Off",
    }
    if search.strategy == "hyperband":
        most = int(training.hyperparameters["epochs"])
        resource = {"MinResource": 1, "MaxResource": most}
        parameters["StrategyConfig"] = {"HyperbandStrategyConfig": resource}
    return parameters


def numbers(found: Range) -> dict[str, str]:
    """One range."""
    return {
        "Name": found.name,
        "MinValue": found.least,
        "MaxValue": found.most,
        "ScalingType": found.scale,
    }


# -- a search that is there -----------------------------------------------------------------------


def look_at(job: str) -> Look:
    """The search as SageMaker describes it."""
    asked = {"HyperParameterTuningJobName": job}
    return Look(Call("sagemaker", "DescribeHyperParameterTuningJob", asked))


def stop(job: str) -> Remove:
    """End a search that is at work, and its jobs."""
    at_work = " || ".join(f"@=='{each}'" for each in AT_WORK)
    gone = Look(look_at(job).call, f"[HyperParameterTuningJobStatus][?{at_work}] | [0]")
    asked = {"HyperParameterTuningJobName": job}
    call = Call("sagemaker", "StopHyperParameterTuningJob", asked)
    return Remove(f"search {job}, which is at work", call, gone=gone)


def deletion(job: str) -> Call:
    """What makes SageMaker forget a search that has ended; its jobs have records of their own."""
    return Call("sagemaker", "DeleteHyperParameterTuningJob", {"HyperParameterTuningJobName": job})


def plan_stop(name: str, region: str, job: str) -> Plan:
    """End this search."""
    cost = (
        "The instances of its jobs go, and their bill ends; what they have written stays, billed "
        f"as storage, until `python deploy.py down {name} --data`."
    )
    return Plan(name, region, (stop(job),), (cost,))
