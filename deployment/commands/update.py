"""`deploy.py update`: another model, image or machine, without an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from deployment.aws import service_model
from deployment.aws.performer import Performer
from deployment.current.running import read
from deployment.errors import AnsweredWrong, Misuse, Refused
from deployment.flows import component_change, preflight, stack
from deployment.flows.offers import going_on
from deployment.plan.amendment import Changes, changed, check_rollout, guarded, unscaled
from deployment.plan.calls import Plan, Remove
from deployment.plan.component_update import awake, check_changes, plan_component_update
from deployment.plan.endpoint import config_parameters
from deployment.plan.order import Alarms, Order
from deployment.plan.rollout import RollOut, parse_seconds, parse_size
from deployment.plan.state import Running
from deployment.plan.transition import plan_scaling, plan_update
from deployment.proof import causes, golden, guard
from deployment.proof.inspection import Inspected
from deployment.terminal import parsing, progress, watching
from deployment.terminal.dry_run import show
from deployment.terminal.options import (
    CHANGES,
    CHECK,
    DRY_RUN,
    NAME,
    STEPS,
    TEMPLATE,
    WHERE,
    connect,
    options,
)
from deployment.terminal.progress import say


@click.command()
@options(NAME, CHANGES, STEPS, CHECK, DRY_RUN, TEMPLATE, WHERE)
def update(name: str, **asked: Any) -> None:
    """Replace what runs under NAME without downtime: the model, the image, the instances.

    What you don't specify stays the same. New instances start next to the old ones, which serve
    until the new ones are ready; then golden pictures are sent through the endpoint. Errors,
    latency or a wrong prediction roll it back. If it was interrupted, the same command resumes.

    \b
    python deploy.py update cats --model better.tar.gz
    python deploy.py update cats --model better.tar.gz --canary 10% --bake 10m
    python deploy.py update cats --image URI --dry-run
    python deploy.py update cats --model better.tar.gz --template
    """  # noqa: D301 - \b keeps click from rewrapping
    aws = connect(asked)
    wanted = changes(asked)
    running = read(aws, name, stacked=asked["template"])
    if asked["alarms"] or asked["alarm_latency"]:
        wanted = replace(wanted, alarms=watching.alarms(asked, running.order.alarms))
    check_changes(running, wanted)
    order = awake(running, changed(running, wanted))
    if asked["template"]:
        stack.show(aws, running, order)
        return
    rollout = steps(asked)
    check_rollout(running, order, rollout, asked=any(asked[each] for each in (*HOW, *WATCHED)))
    if running.component:
        plan = plan_component_update(running, order)
    else:
        plan = plan_update(running, order, rollout, unscaled(running, wanted))
    service_model.check(aws, plan)
    if asked["dry_run"]:
        after = () if running.component else plan_scaling(running, order).steps
        show(replace(plan, steps=(*plan.steps, *after)), order)
        return
    refuse_fallen(running)
    preflight.introduce(aws, order, plan.cost)
    if not asked["no_check"]:
        preflight.check(aws, order, fresh=False)
    with golden.inspected(aws, order, skip=asked["no_check"]) as found:
        if running.component:
            component_change.update(progress.performer(aws), running, order, plan, found)
            return
        whole = guarded(running, order) and rollout.how == "all at once"
        watch = guard.Watch(aws, order, found if whole else {})
        roll_out(running, order, plan, found, watch)


HOW = ("canary", "linear", "rolling")

WATCHED = ("bake", "max_latency", "max_errors")


def changes(asked: Mapping[str, Any]) -> Changes:
    """What is to change. Raises `Misuse` for nothing, unless a template of what runs will do."""
    made = Changes(
        model=parsing.archive(asked["model"]) if asked["model"] else None,
        variants=tuple(parsing.variant(each, "--variant") for each in asked["variant"]),
        shadow=parsing.variant(asked["shadow"], "--shadow") if asked["shadow"] else None,
        image=asked["image"] or "",
        environment=parsing.environment(asked["env"]),
        instance=asked["instance"] or "",
        count=asked["count"] or 0,
        bucket=asked["bucket"] or "",
        metrics=parsing.INTERVALS[asked["metrics"]] if asked["metrics"] else None,
        dropped=asked["drop"],
        unscaled=asked["autoscale"] is not None,
        unwatched=asked["alarms"] == watching.NO_ALARMS,
        alarms=Alarms(asked["alarms"] or "") if asked["alarms"] or asked["alarm_latency"] else None,
        capture=parsing.capture(asked),
        tags=parsing.tags(asked["tags"]),
        routing=parsing.ROUTINGS.get(asked["routing"], ""),
        weighed=tuple(name for name, _, weight in map(parsing.parts, asked["variant"]) if weight),
    )
    if asked["template"]:
        refuse_steps(asked)
    elif made == Changes(bucket=made.bucket):
        raise Misuse(
            "Say what is to change: --model better.tar.gz, or --image, --env, --instance …"
        )
    return made


def refuse_steps(asked: Mapping[str, Any]) -> None:
    """Raise `Misuse` for what only an update by deploy.py itself has."""
    for option in (*HOW, *WATCHED):
        if asked[option]:
            raise Misuse(
                f"--{option.replace('_', '-')} is of no use with --template: CloudFormation rolls "
                "a stack's endpoint out in its own way. Leave one of the two out."
            )


def steps(asked: Mapping[str, Any]) -> RollOut:
    """How it is rolled out. Raises `Misuse`."""
    chosen = [each for each in HOW if asked[each]]
    if len(chosen) > 1:
        raise Misuse(f"--{' and --'.join(chosen)}: one way of rolling out at a time.")
    made = RollOut(
        bake=parse_seconds(asked["bake"] or "5m", "--bake"),
        latency=asked["max_latency"] or RollOut.latency,
        errors=asked["max_errors"] or RollOut.errors,
    )
    if not chosen:
        return made
    [how] = chosen
    size = parse_size(asked[how], f"--{how}")
    return RollOut(how, size, made.bake, made.latency, made.errors)


def refuse_fallen(running: Running) -> None:
    """Raise `Refused` for an endpoint that nothing but removing helps."""
    state = running.endpoint["EndpointStatus"]
    if state in ("Failed", "Deleting", "OutOfService"):
        raise Refused(
            f"The endpoint {running.order.name} is {state}, and SageMaker changes no such "
            f"endpoint: `python deploy.py up {running.order.name}` creates it again.",
            state,
        )


def roll_out(
    running: Running, order: Order, plan: Plan, found: Mapping[str, Inspected], watch: guard.Watch
) -> None:
    """Carry out the plan, watch it, and go back where it went wrong."""
    config, name, aws = config_parameters(order)["EndpointConfigName"], order.name, watch.aws
    performer = progress.performer(aws)
    performer.meanwhile = watch
    with causes.explained(aws, name):
        with going_on(aws, name):
            performer.perform(plan)
        back = running.before if running.config == config else running.config
        prove(performer, order, found, config, back)
        guard.conclude(performer, running, order, config, watch)
        with going_on(aws, name):
            before = performer.changed
            performer.perform(plan_scaling(running, order))
    ended = any(isinstance(step, Remove) for step in plan.steps)
    same = running.config == config and not ended and performer.changed == before
    say("Nothing had to be changed." if same else f"{name} runs {config} now.")
    if back:
        say(f"`python deploy.py rollback {name} {aws.where}` rolls back to {back}.")


def prove(
    performer: Performer, order: Order, found: Mapping[str, Inspected], config: str, back: str
) -> None:
    """Golden pictures through what has come, if it has; from wrong ones back to before."""
    if read(performer.aws, order.name).config != config:
        return
    try:
        with going_on(performer.aws, order.name):
            golden.prove(performer.aws, order, found)
    except AnsweredWrong as exc:
        guard.go_back(performer, order.name, back, exc)
