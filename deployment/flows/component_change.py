"""Another model for an inference component, proven by golden pictures, and the way back."""

from __future__ import annotations

from collections.abc import Mapping

from deployment.aws.performer import Performer
from deployment.current.running import read
from deployment.errors import AnsweredWrong, EndpointFailed
from deployment.flows.offers import going_on, nothing_before
from deployment.plan.calls import Plan
from deployment.plan.component_update import model_of, plan_component_rollback
from deployment.plan.order import Order
from deployment.plan.state import Running
from deployment.proof import causes, golden, guard
from deployment.proof.inspection import Inspected
from deployment.terminal.progress import say


def update(
    performer: Performer,
    running: Running,
    order: Order,
    plan: Plan,
    found: Mapping[str, Inspected],
) -> None:
    """Carry out the plan and prove it; from wrong answers back to the model before.

    Raises `AnsweredWrong` and `EndpointFailed`.
    """
    aws, name, model = performer.aws, order.name, model_of(order)
    back = running.before if running.config == model else running.config
    with causes.explained(aws, name), going_on(aws, name):
        before = performer.changed
        performer.perform(plan)
    changed = performer.changed > before
    now = read(aws, name)
    if now.config != model:
        prune(performer, now, {now.config, now.before})
        raise EndpointFailed(
            f"SageMaker rolled back to {now.config}. {reason(now)} `python deploy.py logs {name} "
            f"{aws.where}` shows what the containers said."
        )
    try:
        with going_on(aws, name):
            golden.prove(aws, order, found)
    except AnsweredWrong as exc:
        go_back(performer, now, back, exc)
    prune(performer, now, {model, back})
    say(f"{name} runs {model} now." if changed else "Nothing had to be changed.")
    if back:
        say(f"`python deploy.py rollback {name} {aws.where}` rolls back to {back}.")


def reason(running: Running) -> str:
    """Why, as SageMaker says it."""
    said = " ".join(str((running.component or {}).get("FailureReason") or "").split())
    return f"Its reason: {said.rstrip('.')}." if said else "It gives no reason."


def go_back(performer: Performer, running: Running, model: str, error: AnsweredWrong) -> None:
    """From wrong answers to the model before. Raises `AnsweredWrong`."""
    name = running.order.name
    if not model:
        raise AnsweredWrong(
            f"{error} There is no model to roll back to: `python deploy.py update {name}` with an "
            f"archive that is right, or `python deploy.py down {name}`."
        ) from error
    say(f"{error}\nRolling back to {model} …")
    performer.perform(plan_component_rollback(running, model))
    prune(performer, running, {model})
    raise AnsweredWrong(f"{error} The endpoint is back on {model}.") from error


def rollback(performer: Performer, running: Running, plan: Plan) -> None:
    """To the model before, by the plan of `way_back`."""
    aws, name = performer.aws, running.order.name
    with causes.explained(aws, name), going_on(aws, name):
        performer.perform(plan)
    prune(performer, running, {running.before})
    say(f"{name} runs {running.before} again.")


def way_back(running: Running) -> Plan:
    """The plan. Raises `Refused` where nothing is kept from before."""
    if not running.before:
        raise nothing_before(running)
    return plan_component_rollback(running, running.before)


def prune(performer: Performer, running: Running, kept: set[str]) -> None:
    """Remove the models that nothing rolls back to."""
    guard.prune(performer, running.order.name, {str(running.endpoint["EndpointConfigName"]), *kept})
