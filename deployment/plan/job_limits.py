"""What SageMaker would refuse of a training job minutes later, refused at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployment.errors import Misuse
from deployment.plan import limits, search
from deployment.plan.search import Search
from deployment.plan.training import Training

LONGEST_RUN = 28 * 24 * 3600

LONGEST_WARM = 6 * 3600


def check(training: Training, searched: Search | None = None) -> None:
    """Raise `Misuse` with the first thing that AWS would not take."""
    for problem in problems(training):
        raise Misuse(problem)
    for problem in search.problems(training, searched) if searched else ():
        raise Misuse(problem)


def problems(training: Training) -> Iterator[str]:
    """All that is wrong with a job, a sentence each."""
    yield from limits.role_problems(training.role)
    yield from limits.image_problems(training.image, training.region, "the job")
    yield from limits.bucket_problems(training.bucket)
    yield from time_problems(training)
    yield from metric_problems(training)
    if len(training.channels) > 20:
        yield f"The job has {len(training.channels)} channels, and SageMaker takes 20 at most."
    for name in training.environment:
        if not limits.ENVIRONMENT_NAME.fullmatch(name):
            yield f"--env {name}: that is no name for an environment variable."
    for name, value in training.hyperparameters.items():
        if len(value) > 2500:
            yield f"--set {name}: it has {len(value):,} characters, and SageMaker takes 2,500."


def time_problems(training: Training) -> Iterator[str]:
    """How long it may run and wait."""
    run, wait, warm = training.limits.run, training.limits.wait, training.limits.warm
    if not 60 <= run <= LONGEST_RUN:
        yield "--max-runtime is from one minute to 28 days, such as 90m, 2h or 3d."
    if wait and wait < run:
        yield (
            "--max-wait is shorter than --max-runtime, and it counts both: the waiting for a Spot "
            "instance and the training on it."
        )
    if warm and wait:
        yield "--warm or --spot, one of the two: SageMaker keeps no Spot instance warm."
    if warm > LONGEST_WARM:
        yield "--warm is six hours at most."


def metric_problems(training: Training) -> Iterator[str]:
    """How the log is read."""
    for name, regex in training.metrics.items():
        try:
            groups = re.compile(regex).groups
        except re.error as exc:
            yield f"--metric {name}={regex} is no regular expression: {exc}."
            continue
        if groups != 1:
            yield (
                f"--metric {name}={regex}: it needs one group in parentheses, which finds the "
                "number, as in 'accuracy: ([0-9.]+)'."
            )
