"""An inference component + what is to change → the calls of `update` and `rollback`, as data.

The copies get another model, and the endpoint and its machines stay. What ran before is kept as a
model, and named by a tag of the new one: so `rollback` finds it from any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deployment import names
from deployment.errors import Misuse
from deployment.plan.amendment import Changes
from deployment.plan.calls import Call, Make, Plan, Step, Wait
from deployment.plan.components import look_at, specification
from deployment.plan.cost import costs
from deployment.plan.models import model_parameters, model_steps, upload_steps
from deployment.plan.order import Component, Order
from deployment.plan.state import Running
from deployment.plan.transition import remembering_step, tagging_steps

STATUS = "InferenceComponentStatus"

AT_WORK = ("Creating", "Updating")


def check_changes(running: Running, changes: Changes) -> None:
    """Raise `Misuse` for what stays as the endpoint of a component was made."""
    if not running.component:
        return
    asked = {
        "--variant": changes.variants,
        "--shadow": changes.shadow,
        "--drop": changes.dropped,
        "--instance": changes.instance,
        "--metrics": changes.metrics is not None,
        "--alarms": changes.alarms or changes.unwatched,
        "--capture": changes.capture,
        "--routing": changes.routing,
        "--autoscale none": changes.unscaled,
    }
    if refused := [option for option, wanted in asked.items() if wanted]:
        name = running.order.name
        raise Misuse(
            f"{', '.join(refused)}: {name} runs an inference component, of which --model, --image, "
            "--env, --count (of copies) and --tag can be changed. All else comes with its "
            f"endpoint: `python deploy.py down {name}`, then `python deploy.py up {name} … "
            "--component MEMORY`."
        )


def awake(running: Running, order: Order) -> Order:
    """The order with one copy at least: where there is none, nothing can be proven."""
    if not isinstance(order.kind, Component) or not running.component:
        return order
    return replace(order, kind=replace(order.kind, count=max(1, order.kind.count)))


def model_of(order: Order) -> str:
    """The model that an order's copies run."""
    [variant] = order.variants
    return str(model_parameters(order, variant)["ModelName"])


def plan_component_update(running: Running, order: Order) -> Plan:
    """Upload, model, and other copies; all of it can be taken up again."""
    model = model_of(order)
    steps = (
        *upload_steps(order),
        *model_steps(order),
        *([] if model == running.config else [remembering_step(running, "model", model)]),
        *resting_steps(running),
        *tagging_steps(running, order),
        *changing_steps(order, model),
    )
    return Plan(order.name, order.region, steps, tuple(update_costs(order)))


def plan_component_rollback(running: Running, model: str) -> Plan:
    """Copies of a model that is there."""
    order = awake(running, running.order)
    steps = (*resting_steps(running), *changing_steps(order, model))
    return Plan(order.name, order.region, steps, tuple(update_costs(order)))


def resting_steps(running: Running) -> Iterator[Wait]:
    """Let SageMaker end what it is at: it changes nothing meanwhile."""
    name = names.component(running.order.name)
    if running.component and running.component[STATUS] in AT_WORK:
        good = ("InService", "Failed")
        yield Wait(f"inference component {name}", look_at(name), STATUS, good, ("missing",))


def changing_steps(order: Order, model: str) -> Iterator[Step]:
    """The component with copies of another model, and waiting until they answer."""
    if not isinstance(order.kind, Component):
        raise TypeError(order.kind)
    name = names.component(order.name)
    copies = {"CopyCount": order.kind.count}
    yield Make(
        f"inference component {name}",
        Call(
            "sagemaker",
            "UpdateInferenceComponent",
            {
                "InferenceComponentName": name,
                "Specification": specification(order, order.kind, model),
                "RuntimeConfig": copies,
            },
        ),
        replace(look_at(name), found=RUNS),
        expected={"model": model, "copies": order.kind.count},
        again=True,
        doing="Changing",
    )
    yield Wait(f"inference component {name}", look_at(name), STATUS, ("InService",), ("Failed",))


RUNS = "{model: Specification.ModelName, copies: RuntimeConfig.DesiredCopyCount}"
"""What a component is of, or is to be of."""


def update_costs(order: Order) -> Iterator[str]:
    """What it costs meanwhile, and afterwards."""
    yield (
        "While the copies are replaced, old and new ones may run side by side: where an instance "
        "has no room for both, SageMaker adds one, which is billed until they are gone."
    )
    yield from costs(order)
