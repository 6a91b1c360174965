"""From an order to an endpoint that answers as it should."""

from __future__ import annotations

from dataclasses import replace

from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.current import inventory, running
from deployment.flows import preflight
from deployment.plan.calls import Step
from deployment.plan.cost import costs
from deployment.plan.endpoint import plan_up
from deployment.plan.order import Order
from deployment.plan.scaling import ending_steps_of
from deployment.proof import causes, golden
from deployment.terminal import autoscale, progress
from deployment.terminal.progress import say, told


def deliver(aws: Aws, order: Order, *, skip: bool, unscaled: bool = False, again: str = "") -> None:
    """Bring the endpoint up and, unless to `skip` that, send its golden pictures through it.

    Where it breaks off, the command `again` goes on; empty means the same command.
    """
    service_model.check(aws, plan_up(order))
    preflight.introduce(aws, order, costs(order))
    state = running.state(aws, order)
    plan = plan_up(order, state)
    if not skip:
        preflight.check(aws, order, fresh=state is None)
    ending = ending_scaling(aws, order, asked=unscaled) if state else ()
    performer = progress.performer(aws)
    with (
        golden.inspected(aws, order, skip=skip) as found,
        told(performer, removal(aws, order), again),
        causes.explained(aws, order.name),
    ):
        performer.perform(replace(plan, steps=(*plan.steps, *ending)))
        if not performer.changed:
            say("Everything was there already; nothing was changed.")
        golden.prove(aws, order, found)
    say(f"The endpoint {order.name} is in service in {aws.region}. Try it:")
    say(f"  python deploy.py invoke {order.name} PICTURE {aws.where}")


def ending_scaling(aws: Aws, order: Order, *, asked: bool) -> tuple[Step, ...]:
    """What ends an earlier --autoscale, if that is asked for; else it is said that it goes on."""
    scaled = inventory.scaled(aws, order.name)
    variants = [each["ResourceId"].rpartition("/")[2] for each in scaled[0]]
    if order.scaling or not variants:
        return ()
    if not asked:
        say(
            f"The number of instances of {', '.join(variants)} follows the load, as an earlier "
            f"--autoscale said; --autoscale {autoscale.NO_SCALING} ends that."
        )
        return ()
    return tuple(ending_steps_of(order.name, scaled, variants))


def removal(aws: Aws, order: Order) -> str:
    """The command that removes all of it."""
    bucket = f" --bucket {order.bucket}" if order.bucket else ""
    return f"python deploy.py down {order.name} {aws.where} --data{bucket}"
