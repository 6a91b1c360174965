"""`deploy.py rollback`: back to what ran before."""

from __future__ import annotations

from typing import Any

import click

from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.aws.performer import Performer
from deployment.current import cloudwatch, inventory
from deployment.current.running import read
from deployment.errors import EndpointFailed, Refused
from deployment.flows import component_change
from deployment.flows.offers import NOTHING, nothing_before
from deployment.plan import rollout
from deployment.plan.calls import Plan
from deployment.plan.endpoint import wait_for
from deployment.plan.state import Running
from deployment.plan.transition import plan_rollback
from deployment.proof import causes, guard
from deployment.terminal import progress
from deployment.terminal.dry_run import show, show_calls
from deployment.terminal.options import DRY_RUN, NAME, WHERE, connect, options
from deployment.terminal.progress import say


@click.command()
@options(NAME, DRY_RUN, WHERE)
def rollback(name: str, **asked: Any) -> None:
    """Return the endpoint NAME to what it ran before the last update.

    Also while an update is in progress, and from any machine: SageMaker keeps the previous
    configuration. Its instances start next to the present ones, which serve until they are ready.
    What is rolled back from is deleted; `update` deploys it again.

    \b
    python deploy.py rollback cats
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    running = read(aws, name)
    performer = progress.performer(aws)
    if running.component:
        plan = component_change.way_back(running)
        service_model.check(aws, plan)
        if asked["dry_run"]:
            show(plan)
        else:
            component_change.rollback(performer, running, plan)
        return
    if running.coming and cloudwatch.guards(aws, name):
        break_off(performer, running, dry_run=asked["dry_run"])
        return
    if asked["dry_run"]:
        show(way_back(aws, running))
        return
    performer.meanwhile = guard.Watch(aws, running.order)
    with causes.explained(aws, name):
        performer.perform(plan_or_tidy(performer, running))
    guard.prune(performer, name, {running.before})
    guard.watch_again(performer, running)
    say(f"{name} runs {running.before} again.")


def break_off(performer: Performer, running: Running, *, dry_run: bool) -> None:
    """Raise the alarm of a roll-out: SageMaker rolls back by itself, and lets nobody else do it."""
    name, raising = running.order.name, rollout.verdict(running.order.name, 1)
    if dry_run:
        show_calls(name, running.order.region, [raising])
        return
    say(f"{running.coming} is being rolled out. Raising its alarm, so that SageMaker rolls back …")
    performer.aws.ask(raising)
    performer.meanwhile = guard.Watch(performer.aws, running.order)
    performer.perform(Plan(name, running.order.region, (wait_for(name),)))
    now = read(performer.aws, name)
    if now.config == running.coming:
        raise EndpointFailed(
            f"The roll-out of {running.coming} had ended before SageMaker saw the alarm. Give the "
            "same command again: it rolls back from there."
        )
    guard.prune(performer, name, {now.config, now.before})
    say(f"{name} runs {now.config}, as before.")


def plan_or_tidy(performer: Performer, running: Running) -> Plan:
    """The way back; where there is none, at least nothing lies about."""
    try:
        return way_back(performer.aws, running)
    except Refused as exc:
        if exc.code == NOTHING and not running.starting:
            guard.prune(performer, running.order.name, {running.config})
        raise


def way_back(aws: Aws, running: Running) -> Plan:
    """The plan. Raises `Refused` where nothing is kept from before."""
    config = running.before
    variants = inventory.of_variants(aws, config, "VariantName") if config else ()
    if not variants:
        raise nothing_before(running)
    return plan_rollback(running, config, variants)
