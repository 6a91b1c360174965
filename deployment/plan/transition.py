"""What runs + what is to change → the calls of `update`, `rollback` and `weights`, as data.

The configuration that runs now is kept, and named by a tag of the new one: so `rollback` finds it
from any machine. What is older is removed once a roll-out has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from deployment import names
from deployment.errors import Misuse
from deployment.plan import standing_alarms
from deployment.plan.amendment import guarded, machines
from deployment.plan.calls import Answer, Call, Look, Make, Plan, Step, Wait
from deployment.plan.cost import costs
from deployment.plan.endpoint import (
    config_parameters,
    look_at,
    make_config,
    wait_for,
)
from deployment.plan.models import model_steps, upload_steps
from deployment.plan.order import Order, Serverless
from deployment.plan.rollout import RollOut, alarm_steps, deployment_config
from deployment.plan.scaling import ending_steps_of, scaling_steps
from deployment.plan.state import Running

RESTING = ("InService", "UpdateRollbackFailed")
"""States from which SageMaker begins a change."""


# -- update ---------------------------------------------------------------------------------------


def plan_update(
    running: Running, order: Order, rollout: RollOut, unscaled: Collection[str] = ()
) -> Plan:
    """Upload, models, configuration, alarms, and the roll-out; all of it can be taken up again.

    The machines of the variants in `unscaled` follow the load no longer.
    """
    config = config_parameters(order)
    name = config["EndpointConfigName"]
    steps = (
        *upload_steps(order),
        *model_steps(order),
        make_config(config),
        *([] if name == running.config else [remembering_step(running, "configuration", name)]),
        *resting_steps(running, name),
        *tagging_steps(running, order),
        *unscaling_steps(running, unscaled),
        *(alarm_steps(order, rollout) if guarded(running, order) else ()),
        change(running, name, changing(running, order, rollout)),
        wait_for(order.name),
    )
    return Plan(order.name, order.region, steps, tuple(update_costs(running, order)))


def plan_scaling(running: Running, order: Order) -> Plan:
    """Let the machines of new variants follow the load as those of the others do.

    And let the standing alarms look at them, too.
    """
    stays = {each.name for each in order.variants} & set(running.scaled)
    steps = scaling_steps(order, settled(running, order)) if stays else ()
    watching = (
        *standing_alarms.ending_steps(order, running.alarms, running.dashboards),
        *standing_alarms.standing_steps(order),
    )
    return Plan(order.name, order.region, (*steps, *watching))


def settled(running: Running, order: Order) -> tuple[str, ...]:
    """The variants whose scaling is whole; with what wakes from nothing, each part is looked at."""
    if order.scaling is None or order.scaling.least == 0:
        return ()
    ruled = {each["ResourceId"] for each in running.policies}
    return tuple(
        each for each in running.scaled if names.scalable(running.order.name, each) in ruled
    )


def unscaling_steps(running: Running, variants: Collection[str]) -> Iterator[Step]:
    """End what lets the number of machines follow the load."""
    scaled = running.targets, running.policies
    return ending_steps_of(running.order.name, scaled, variants)


ARNS = {"configuration": "EndpointConfigArn", "model": "ModelArn"}
"""Where the answer to making a thing has its ARN."""


def remembering_step(running: Running, kind: str, name: str) -> Make:
    """Let the new configuration, or the new model, name the one that runs now."""
    place = {"ResourceArn": Answer(f"{kind} {name}", ARNS[kind])}
    tag = {"Key": names.BEFORE, "Value": running.config}
    return Make(
        f"rollback to {running.config}",
        Call("sagemaker", "AddTags", {**place, "Tags": [tag]}),
        Look(
            Call("sagemaker", "ListTags", place),
            f"{{before: Tags[?Key=='{names.BEFORE}'].Value | [-1]}}",
        ),
        expected={"before": running.config},
        again=True,
        doing="Noting",
    )


def tagging_steps(running: Running, order: Order) -> Iterator[Make]:
    """Tags that the endpoint has not yet; what is made from now on is made with them."""
    if order.tags == running.order.tags:
        return
    place = {"ResourceArn": running.endpoint["EndpointArn"]}
    tags = [{"Key": key, "Value": value} for key, value in order.tags.items()]
    keys = ", ".join(f"\"{each}\": Tags[?Key=='{each}'].Value | [0]" for each in order.tags)
    yield Make(
        f"tags of endpoint {order.name}",
        Call("sagemaker", "AddTags", {**place, "Tags": tags}),
        Look(Call("sagemaker", "ListTags", place), f"{{{keys}}}"),
        expected=dict(order.tags),
        again=True,
        doing="Setting",
    )


def resting_steps(running: Running, config: str) -> Iterator[Wait]:
    """Let SageMaker end what it is at, unless that is this very change."""
    if running.starting and running.coming != config:
        yield Wait(
            f"endpoint {running.order.name}",
            look_at(running.order.name),
            "EndpointStatus",
            RESTING,
            ("Failed", "OutOfService"),
        )


def changing(running: Running, order: Order, rollout: RollOut) -> dict[str, Any]:
    """How the endpoint comes to its new configuration."""
    if isinstance(order.kind, Serverless):
        return {}
    parameters = retaining(running, order)
    if guarded(running, order):
        most = max(machines(running, order).values())
        parameters["DeploymentConfig"] = deployment_config(rollout, order.name, most)
    return parameters


def retaining(running: Running, order: Order) -> dict[str, Any]:
    """Keep the shares and the machines of now, unless others are asked for or there are none."""
    excluded = ["DataCaptureConfig"]
    counts = [running.machines(each.name) for each in running.order.variants]
    same_count = getattr(order.kind, "count", 0) == getattr(running.order.kind, "count", 0)
    if not same_count or not all(counts):
        excluded.append("DesiredInstanceCount")
    return {
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [{"VariantPropertyType": each} for each in excluded],
    }


RUNS = "{config: PendingDeploymentSummary.EndpointConfigName || EndpointConfigName}"
"""The configuration that an endpoint is on, or on its way to."""


def change(running: Running, config: str, how: Mapping[str, Any]) -> Make:
    """The endpoint, on another configuration."""
    name = running.order.name
    parameters = {"EndpointName": name, "EndpointConfigName": config, **how}
    return Make(
        f"endpoint {name}",
        Call("sagemaker", "UpdateEndpoint", parameters),
        Look(look_at(name).call, RUNS),
        expected={"config": config},
        again=True,
        doing="Changing",
    )


def update_costs(running: Running, order: Order) -> Iterator[str]:
    """What it costs meanwhile, and afterwards."""
    if not isinstance(order.kind, Serverless):
        count = sum(machines(running, order).values())
        yield (
            f"While it is rolled out, up to {count} × {order.kind.instance} more are billed, until "
            "the old instances are gone; with --rolling fewer. The three alarms go with them."
        )
    yield from costs(order)


# -- rollback -------------------------------------------------------------------------------------


def plan_rollback(running: Running, config: str, variants: Collection[str] | None = None) -> Plan:
    """Back to a configuration that is there, of these variants, all at once."""
    how = {} if isinstance(running.order.kind, Serverless) else retaining(running, running.order)
    gone = () if variants is None else set(running.scaled) - set(variants)
    steps: tuple[Step, ...] = (
        *resting_steps(running, config),
        *unscaling_steps(running, gone),
        change(running, config, how),
        wait_for(running.order.name),
    )
    cost = (
        "While it rolls back, the old and the new instances are billed; afterwards what was billed "
        f"before, until `python deploy.py down {running.order.name}`."
    )
    return Plan(running.order.name, running.order.region, steps, (cost,))


# -- weights --------------------------------------------------------------------------------------


def plan_weights(running: Running, weights: Mapping[str, float]) -> Plan:
    """Other shares of the requests. Raises `Misuse`."""
    check_weights(running, weights)
    name = running.order.name
    parameters = {
        "EndpointName": name,
        "DesiredWeightsAndCapacities": [
            {"VariantName": variant, "DesiredWeight": weight} for variant, weight in weights.items()
        ],
    }
    shares = ", ".join(
        f"\"{each}\": ProductionVariants[?VariantName=='{each}'].DesiredWeight | [0]"
        for each in weights
    )
    make = Make(
        f"shares of {', '.join(weights)}",
        Call("sagemaker", "UpdateEndpointWeightsAndCapacities", parameters),
        Look(look_at(name).call, f"{{{shares}}}"),
        expected=dict(weights),
        again=True,
        doing="Changing",
    )
    steps: tuple[Step, ...] = (*resting_steps(running, ""), make, wait_for(name))
    cost = ("The instances stay as they are, and so does the bill: a share of 0 costs the same.",)
    return Plan(name, running.order.region, steps, cost)


def check_weights(running: Running, weights: Mapping[str, float]) -> None:
    """Raise `Misuse` for shares that can't be."""
    now = {variant.name: variant.weight for variant in running.order.variants}
    listed = ", ".join(now)
    for variant in weights:
        if variant not in now:
            raise Misuse(f"{running.order.name} has no variant {variant}; it has {listed}.")
    if len(now) < 2:
        raise Misuse(
            f"{running.order.name} has a single variant ({listed}), which gets every request. "
            f"`python deploy.py update {running.order.name} --variant new=MODEL:0.1` puts another "
            "one beside it."
        )
    if not sum({**now, **weights}.values()) > 0:
        raise Misuse("All variants would have the weight 0: none would get requests.")
