"""`deploy.py up`: from an archive to an endpoint that answers as it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.current import inventory, running
from deployment.plan.calls import Step
from deployment.plan.endpoint import plan_up
from deployment.plan.order import Order
from deployment.plan.scaling import ending_steps_of
from deployment.proof import causes, golden
from deployment.terminal import parsing, progress
from deployment.terminal.dry_run import show
from deployment.terminal.options import (
    CHECK,
    DETAILS,
    DRY_RUN,
    KINDS,
    NAME,
    SCALING,
    WHAT,
    WHERE,
    connect,
    options,
)
from deployment.terminal.progress import say, told


@click.command()
@options(NAME, WHAT, KINDS, SCALING, DETAILS, CHECK, DRY_RUN, WHERE)
def up(name: str, **asked: Any) -> None:
    """Make the endpoint NAME, wait until it answers, and check that it answers rightly.

    The archive is looked into and uploaded to S3, and the machines started; then the archive's
    golden pictures are sent through the endpoint, and the answers compared. The same command twice
    changes nothing; interrupted, it goes on where it stopped.

    An endpoint is one of three kinds. Without more, --count machines of kind --instance answer at
    once, and cost all the time. --serverless costs while it answers, and takes seconds to wake.
    --async is for what may take long: answers go to S3, and with --autoscale 0:1 nothing runs
    while nothing waits. All of it costs until `python deploy.py down NAME`.

    \b
    python deploy.py up cats --image URI --model model.tar.gz --role ARN
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --serverless 2048
    python deploy.py up cats --image URI --model model.tar.gz --role ARN --dry-run
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    order = parsing.order(name, aws.region, asked)
    unscaled = asked["autoscale"] == parsing.NO_SCALING
    if asked["dry_run"]:
        plan = plan_up(order)
        steps = ending_scaling(aws, order, asked=True) if unscaled else ()
        show(replace(plan, steps=(*plan.steps, *steps)))
        return
    running.check_account(aws, order)
    performer = progress.performer(aws)
    with (
        golden.inspected(aws, order, skip=asked["no_check"]) as found,
        told(performer, removal(aws, order)),
        causes.explained(aws, name),
    ):
        bring_up(performer, order, unscaled=unscaled)
        golden.prove(aws, order, found)
    say(f"The endpoint {name} is in service in {aws.region}. Try it:")
    say(f"  python deploy.py invoke {name} PICTURE {aws.where}")


def bring_up(performer: Performer, order: Order, *, unscaled: bool) -> None:
    """Carry out the plan, and say what it costs."""
    state = running.state(performer.aws, order)
    plan = plan_up(order, state)
    steps = ending_scaling(performer.aws, order, asked=unscaled) if state else ()
    performer.perform(replace(plan, steps=(*plan.steps, *steps)))
    if not performer.changed:
        say("Everything was there already; nothing was changed.")
    for sentence in plan.cost:
        say(sentence)


def ending_scaling(aws: Aws, order: Order, *, asked: bool) -> tuple[Step, ...]:
    """What ends an earlier --autoscale, if that is asked for; else it is said that it goes on."""
    scaled = inventory.scaled(aws, order.name)
    variants = [each["ResourceId"].rpartition("/")[2] for each in scaled[0]]
    if order.scaling or not variants:
        return ()
    if not asked:
        say(
            f"The number of machines of {', '.join(variants)} follows the load, as an earlier "
            f"--autoscale said; --autoscale {parsing.NO_SCALING} ends that."
        )
        return ()
    return tuple(ending_steps_of(order.name, scaled, variants))


def removal(aws: Aws, order: Order) -> str:
    """The command that removes all of it."""
    bucket = f" --bucket {order.bucket}" if order.bucket else ""
    return f"python deploy.py down {order.name} {aws.where} --data{bucket}"
