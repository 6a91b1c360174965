"""`deploy.py up`: from an archive to an endpoint that answers as it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from deployment.aws import service_model
from deployment.current import inventory
from deployment.flows.delivery import deliver, ending_scaling
from deployment.plan.endpoint import plan_up
from deployment.terminal import autoscale, parsing
from deployment.terminal.dry_run import show, show_template
from deployment.terminal.help_sections import Sectioned
from deployment.terminal.options import (
    CHECK,
    DETAILS,
    DRY_RUN,
    KINDS,
    NAME,
    TEMPLATE,
    WHAT,
    WHERE,
    connect,
    options,
)
from deployment.terminal.scaling_options import SCALING


@click.command(cls=Sectioned)
@options(NAME, WHAT, KINDS, SCALING, DETAILS, CHECK, DRY_RUN, TEMPLATE, WHERE)
def up(name: str, **asked: Any) -> None:
    """Create the endpoint NAME, wait until it is in service, and check its predictions.

    The archive is inspected and uploaded to S3, and the instances are started; then the archive's
    golden pictures are sent through the endpoint, and the outputs compared. The same command twice
    changes nothing; if it was interrupted, it resumes.

    There are four kinds of endpoints. By default, --count instances of type --instance respond at
    once, and are billed all the time. --serverless is billed while it computes, and has a cold
    start of seconds. --async is for what may take long: outputs go to S3, and with --autoscale 0:1
    nothing runs while nothing waits. --component runs copies of the model on instances that scale
    to zero with them. All of it is billed until `python deploy.py down NAME`.

    \b
    python deploy.py up cats --image URI --model model.tar.gz --role ARN
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --serverless 2048
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --dry-run
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --template
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    order = parsing.order(name, aws.region, asked)
    unscaled = asked["autoscale"] == autoscale.NO_SCALING
    if asked["template"]:
        service_model.check(aws, plan_up(order))
        inventory.refuse_unstacked(aws, name)
        show_template(plan_up(order))
        return
    if asked["dry_run"]:
        plan = plan_up(order)
        service_model.check(aws, plan)
        steps = ending_scaling(aws, order, asked=True) if unscaled else ()
        show(replace(plan, steps=(*plan.steps, *steps)), order)
        return
    deliver(aws, order, skip=asked["no_check"], unscaled=unscaled)
