"""`deploy.py train`: a training job on SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from deployment import names
from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.current import cloudwatch, trainings
from deployment.errors import Misuse, Refused, TrainingFailed
from deployment.flows import outcome, preflight, taking_up
from deployment.flows.request import requested
from deployment.flows.watch import changes, in_short, metrics
from deployment.plan import job_limits, training
from deployment.plan.calls import Plan, Wait
from deployment.plan.endpoint import plan_up
from deployment.plan.resumption import resumption
from deployment.plan.training import Training
from deployment.terminal import job_parsing, parsing
from deployment.terminal.dry_run import show
from deployment.terminal.job_options import AFTER, CONTROL, JOB, WARM
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say

KIND = "training job"

LINES = 50
"""Of the log, with --logs."""


@click.command()
@options(NAME, JOB, WARM, AFTER, CONTROL, DRY_RUN, WHERE)
def train(name: str, **asked: Any) -> None:
    """Train a model on SageMaker, in a training job whose instance is released at its end.

    A folder is uploaded to S3 once, for any number of jobs. Without --script, a recipe of the image
    trains; what it would refuse is refused here, before anything is uploaded. The job continues
    without this command: --follow watches it again, --stop stops it.

    \b
    python deploy.py train cats --data photos/ --image URI --role ARN --set epochs=20 --dry-run
    python deploy.py train cats --data photos/ --image URI --role ARN --spot --follow --up
    python deploy.py train cats --follow --up
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    chosen = [each for each in ("status", "logs", "stop", "resume") if asked[each]]
    if len(chosen) > 1:
        raise Misuse(f"--{' and --'.join(chosen)}: one at a time.")
    if chosen:
        CONTROLS[chosen[0]](aws, name, asked)
    elif not asked["data"] and (asked["follow"] or asked["up"]):
        taking_up.take_up(aws, name, KIND, asked)
    else:
        begin(aws, name, asked)


def begin(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """A new job, unless the same is at work."""
    made, _ = requested(aws, name, asked)
    job_limits.check(made)
    job = names.timed(name, datetime.now(UTC))
    plan = training.plan_training(made, job)
    service_model.check(aws, plan)
    if asked["dry_run"]:
        if asked["up"]:
            plan = with_endpoint(aws, made, job, plan, asked)
        taking_up.show_plan(aws, made, plan, up=asked["up"])
        return
    preflight.introduce(aws, made)
    if asked["up"]:
        taking_up.refuse_endpoint(aws, name)
    if not asked["no_check"]:
        preflight.check_training(aws, made)
        plan = taking_up.priced(aws, made, plan)
    job = taking_up.start(aws, plan, KIND, training.request(made), made.bucket)
    taking_up.go_on(aws, name, KIND, job, asked)


def with_endpoint(aws: Aws, made: Training, job: str, plan: Plan, asked: Mapping[str, Any]) -> Plan:
    """The plan with all that --up adds, for --dry-run."""
    found = {
        "ModelArtifacts": {"S3ModelArtifacts": training.model_url(made, job)},
        "RoleArn": made.role,
        "AlgorithmSpecification": {"TrainingImage": made.image},
    }
    up = plan_up(taking_up.order(aws, made.name, found, asked))
    wait = Wait(f"{KIND} {job}", training.look_at(job), "TrainingJobStatus", ("Completed",), ())
    return replace(plan, steps=(*plan.steps, wait, *up.steps), cost=(*plan.cost, *up.cost))


def status(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """How the newest job is. Raises `TrainingFailed` for one that failed."""
    taking_up.refuse_idle(asked, "--status", ("status",))
    if not (found := taking_up.newest(aws, name, KIND, dry_run=asked["dry_run"])):
        return
    click.echo(f"{found['TrainingJobName']}: {in_short(found)}")
    for line in (*changes(found), *filter(None, [metrics(found)])):
        click.echo(f"  {line}")
    if found["TrainingJobStatus"] == "Completed":
        click.echo(f"  model {found['ModelArtifacts']['S3ModelArtifacts']}")
    if found["TrainingJobStatus"] == "Failed":
        raise TrainingFailed("\n".join(outcome.failure(aws, found)))


def logs(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """The last lines of the newest job."""
    taking_up.refuse_idle(asked, "--logs", ("logs",))
    if not (found := taking_up.newest(aws, name, KIND, dry_run=asked["dry_run"])):
        return
    job = found["TrainingJobName"]
    lines = cloudwatch.of_job(aws, job, LINES, names.TRAINING_LOGS)
    if not lines:
        say(f"The training job {job} has written nothing yet.")
    for line in lines:
        click.echo(str(line))


def stop(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """End the job that is at work."""
    taking_up.refuse_idle(asked, "--stop", ("stop",))
    taking_up.end(aws, name, KIND, dry_run=asked["dry_run"])


def resume(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """A new job that goes on from the checkpoint of the newest. Raises `Refused` for none."""
    heeded = ("resume", "follow", "up", "no_check", "max_runtime", "max_wait", "tags")
    taking_up.refuse_idle(asked, "--resume", heeded)
    before = trainings.newest(aws, name, KIND)
    refuse_resumption(before)
    limits = {
        key: job_parsing.seconds(asked[option], f"--{option.replace('_', '-')}")
        for option, key in LIMITS.items()
        if asked[option]
    }
    job = names.timed(name, datetime.now(UTC))
    call = resumption(name, before, job, limits, parsing.tags(asked["tags"]))
    run = call.parameters["StoppingCondition"]["MaxRuntimeInSeconds"]
    cost = tuple(training.ceiling(before["ResourceConfig"]["InstanceType"], run, 1))
    plan = Plan(name, aws.region, (training.make_job(call),), cost)
    service_model.check(aws, plan)
    if asked["dry_run"]:
        show(plan)
        return
    say(f"Going on from the checkpoint of {before['TrainingJobName']}.")
    [tag] = [each["Value"] for each in call.parameters["Tags"] if each["Key"] == names.REQUEST]
    job = taking_up.start(aws, plan, KIND, tag)
    taking_up.go_on(aws, name, KIND, job, asked)


LIMITS = {"max_runtime": "MaxRuntimeInSeconds", "max_wait": "MaxWaitTimeInSeconds"}


def refuse_resumption(before: Mapping[str, Any]) -> None:
    """Raise `Refused` for a job that there is nothing to go on from."""
    job, state = before["TrainingJobName"], before["TrainingJobStatus"]
    if state in training.AT_WORK:
        raise Refused(f"The training job {job} is at work: --follow watches it.", state)
    if state == "Completed":
        raise Refused(
            f"The training job {job} is done: its model is "
            f"{before['ModelArtifacts']['S3ModelArtifacts']}, and --up deploys it.",
            state,
        )
    if not before.get("CheckpointConfig"):
        raise Refused(
            f"The training job {job} kept no checkpoints: start again, with --checkpoints.",
            "not found",
        )


CONTROLS = {"status": status, "logs": logs, "stop": stop, "resume": resume}
