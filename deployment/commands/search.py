"""`deploy.py search`: many training jobs on SageMaker, to find the best hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from deployment import names
from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.current import trainings
from deployment.errors import Misuse, TrainingFailed
from deployment.flows import outcome, preflight, taking_up
from deployment.flows.request import requested
from deployment.flows.watch import standing
from deployment.plan import job_limits
from deployment.plan import search as plans
from deployment.terminal import job_parsing
from deployment.terminal.job_options import AFTER, JOB, SEARCH, STATUS, STOP
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options

KIND = "search"


@click.command()
@options(NAME, JOB, SEARCH, AFTER, STATUS, STOP, DRY_RUN, WHERE)
def search(name: str, **asked: Any) -> None:
    """Search for hyperparameters: SageMaker's automatic model tuning, many jobs of `train`.

    Each job gets other values of what --range and --choose name; the best by --objective wins.
    The search continues without this command: --follow watches it again, --stop stops it with all
    its jobs.

    \b
    python deploy.py search cats --data photos/ --image URI --role ARN --jobs 10 --parallel 2 \\
        --range learning_rate=1e-4..1e-1:log --choose optimizer=adam,sgd --follow --up
    python deploy.py search cats --status
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    if asked["status"] and asked["stop"]:
        raise Misuse("--status and --stop: one at a time.")
    if asked["stop"]:
        taking_up.refuse_idle(asked, "--stop", ("stop",))
        taking_up.end(aws, name, KIND, dry_run=asked["dry_run"])
    elif asked["status"]:
        status(aws, name, asked)
    elif not asked["data"] and (asked["follow"] or asked["up"]):
        taking_up.take_up(aws, name, KIND, asked)
    else:
        begin(aws, name, asked)


def begin(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """A new search, unless the same is at work."""
    made, wanted = requested(aws, name, asked, job_parsing.search(asked))
    if wanted is None:
        raise ValueError(asked)
    job_limits.check(made, wanted)
    plan = plans.plan_search(made, wanted, names.search(name, datetime.now(UTC)))
    service_model.check(aws, plan)
    if asked["dry_run"]:
        taking_up.show_plan(aws, made, plan, up=asked["up"], jobs=wanted.jobs)
        return
    preflight.introduce(aws, made)
    if asked["up"]:
        taking_up.refuse_endpoint(aws, name)
    if not asked["no_check"]:
        preflight.check_training(aws, made, wanted.parallel)
        plan = taking_up.priced(aws, made, plan, wanted.jobs)
    job = taking_up.start(aws, plan, KIND, plans.request(made, wanted), made.bucket)
    taking_up.go_on(aws, name, KIND, job, asked)


def status(aws: Aws, name: str, asked: Mapping[str, Any]) -> None:
    """How the newest search is. Raises `TrainingFailed` for one that failed."""
    taking_up.refuse_idle(asked, "--status", ("status",))
    if not (found := taking_up.newest(aws, name, KIND, dry_run=asked["dry_run"])):
        return
    state = found["HyperParameterTuningJobStatus"]
    click.echo(f"{found['HyperParameterTuningJobName']}: {state}, {standing(found)}")
    for each in trainings.trials(aws, found["HyperParameterTuningJobName"]):
        click.echo(f"  {each['TrainingJobName']}: {each['TrainingJobStatus']}")
    if state == "Failed":
        raise TrainingFailed("\n".join(outcome.search_failure(aws, found)))
