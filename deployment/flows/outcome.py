"""How a training job, or a search, has ended: its model, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator

from deployment import names
from deployment.aws.client import Aws
from deployment.current import cloudwatch, trainings
from deployment.errors import DeploymentError, TrainingFailed
from deployment.flows.watch import MEANINGS, metrics, minutes
from deployment.plan.state import Described
from deployment.proof import causes
from deployment.terminal.progress import say

LINES = 15
"""Of the log that are shown where a job failed."""


def conclude(aws: Aws, found: Described, *, early: bool) -> str:
    """Where the model of a job that went well lies. Raises `TrainingFailed` for any other.

    A search ends jobs `early`, which leave their best model so far.
    """
    if found["TrainingJobStatus"] not in (("Completed", "Stopped") if early else ("Completed",)):
        raise TrainingFailed("\n".join(failure(aws, found)))
    for sentence in summary(found):
        say(sentence)
    return str(found["ModelArtifacts"]["S3ModelArtifacts"])


def summary(found: Described) -> Iterator[str]:
    """What a job came to."""
    yield f"The training job {found['TrainingJobName']} is done. {metrics(found)}".rstrip()
    billed, took = found.get("BillableTimeInSeconds"), found.get("TrainingTimeInSeconds")
    if billed is not None:
        saved = f", {1 - billed / took:.0%} less than it ran" if took and billed < took else ""
        yield f"Billed: {minutes(billed)} of {found['ResourceConfig']['InstanceType']}{saved}."
    yield f"Its model: {found['ModelArtifacts']['S3ModelArtifacts']}"


def failure(aws: Aws, found: Described) -> Iterator[str]:
    """Why a job has no model that is whole: SageMaker's reason, and the log's end."""
    job, state = found["TrainingJobName"], found["TrainingJobStatus"]
    reason = " ".join(str(found.get("FailureReason") or "").split())
    said = reason or MEANINGS.get(found.get("SecondaryStatus", ""), "")
    yield f"The training job {job}: {state}. {said}".rstrip()
    lines = cloudwatch.of_job(aws, job, LINES, names.TRAINING_LOGS)
    if lines:
        yield "The last lines of its log:"
        yield from (f"  {line}" for line in lines)
    if reason and not reason.startswith("AlgorithmError"):
        guess = causes.cause(reason, ())
        if guess != causes.UNKNOWN:
            yield f"The likeliest cause: {guess}"
    model = (found.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    if state == "Stopped" and model:
        yield f"What it left by then is in {model}."
    if found.get("CheckpointConfig") and not names.search_of(job):
        name = names.name_of(job)
        yield f"`python deploy.py train {name} --resume {aws.where}` goes on from its checkpoint."


def best(aws: Aws, found: Described) -> Described:
    """The best job of a search. Raises `TrainingFailed` where there is none."""
    job = (found.get("BestTrainingJob") or {}).get("TrainingJobName", "")
    state = found["HyperParameterTuningJobStatus"]
    if job and state in ("Completed", "Stopped"):
        return dict(trainings.described(aws, "training job", job))
    raise TrainingFailed("\n".join(search_failure(aws, found)))


def search_failure(aws: Aws, found: Described) -> Iterator[str]:
    """Why a search found nothing: SageMaker's reason, and how the first of its jobs failed."""
    job = found["HyperParameterTuningJobName"]
    reason = " ".join(str(found.get("FailureReason") or "No job of it has a result.").split())
    yield f"The search {job}: {found['HyperParameterTuningJobStatus']}. {reason}"
    try:
        for each in trainings.trials(aws, job):
            if each["TrainingJobStatus"] == "Failed":
                first = trainings.described(aws, "training job", each["TrainingJobName"])
                yield from failure(aws, first)
                break
    except DeploymentError as exc:
        yield f"How its jobs failed can't be seen: {exc}"
