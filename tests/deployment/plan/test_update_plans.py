"""Every call of `update`, `rollback`, `weights` and `transform` is one that AWS's model allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_account import ACCOUNT, REGION
from aws_models import complaints
from test_plans import ORDERS as ALL

from deployment import names
from deployment.current import descriptions as reading
from deployment.plan import batch, rollout
from deployment.plan.amendment import guarded, machines
from deployment.plan.batch import Job
from deployment.plan.calls import Plan
from deployment.plan.component_update import (
    model_of,
    plan_component_rollback,
    plan_component_update,
)
from deployment.plan.components import specification
from deployment.plan.endpoint import config_parameters
from deployment.plan.models import container, model_parameters
from deployment.plan.order import Archive, Component, Order, Variant
from deployment.plan.rollout import RollOut, Size
from deployment.plan.state import Leftovers, Running
from deployment.plan.teardown import plan_pruning
from deployment.plan.transition import plan_rollback, plan_update, plan_weights

ORDERS = [each for each in ALL if not isinstance(each.values[0].kind, Component)]
"""Those whose variants have models."""

COPIES = [each for each in ALL if isinstance(each.values[0].kind, Component)]
"""Those of inference components."""

each_of_copies = pytest.mark.parametrize("order", COPIES)

CHANGED = [each for each in ORDERS if each.values[0].image and not each.values[0].multi]
"""What another archive can be given to."""

each_changed = pytest.mark.parametrize("order", CHANGED)

ROLLOUTS = {
    "all at once": RollOut(),
    "in no hurry": RollOut(bake=3600),
    "canary": RollOut("canary", Size(10), 600),
    "canary machine": RollOut("canary", Size(1, percent=False), 0),
    "linear": RollOut("linear", Size(50), 90, 300.5, 1),
    "rolling": RollOut("rolling", Size(5), 60),
    "rolling machine": RollOut("rolling", Size(1, percent=False), 60),
}

each_order = pytest.mark.parametrize("order", ORDERS)


def running(order: Order) -> Running:
    """An endpoint that was made from an order, described as SageMaker describes it."""
    config = {**config_parameters(order), "EndpointConfigArn": "arn"}
    endpoint = {
        "EndpointName": order.name,
        "EndpointConfigName": config["EndpointConfigName"],
        "EndpointStatus": "InService",
        "ProductionVariants": [
            {
                "VariantName": each["VariantName"],
                "DesiredWeight": each["InitialVariantWeight"],
                "DesiredInstanceCount": each.get("InitialInstanceCount", 0),
            }
            for each in config["ProductionVariants"]
        ],
    }
    models = [model_parameters(order, each) for each in order.all_variants]
    described = {model["ModelName"]: model for model in models}
    made = reading.order(order.name, REGION, endpoint, config, described)
    return Running(endpoint, replace(made, tags=order.tags), "cats-01234567")


def running_copies(order: Order) -> Running:
    """An inference component that was made from an order, described as SageMaker does it."""
    config, [variant] = config_parameters(order), order.variants
    model = model_parameters(order, variant)
    component = {
        "Specification": specification(order, order.kind, model["ModelName"]),
        "RuntimeConfig": {"DesiredCopyCount": order.kind.count},
        "InferenceComponentStatus": "InService",
    }
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:endpoint/{order.name}"
    endpoint = {"EndpointName": order.name, "EndpointArn": arn}
    made = reading.order_of_copies(order.name, REGION, component, config, model)
    return Running(endpoint, replace(made, tags=order.tags), component=component)


def changed(order: Order) -> Order:
    """The order with another archive for each variant."""
    fresh = tuple(
        replace(each, archive=Archive(url=f"s3://models/{each.name}.tar.gz"))
        for each in order.variants
    )
    return replace(order, variants=fresh)


def wrong(plan: Plan) -> list[str]:
    """What AWS's models say against a plan."""
    return [complaint for call in plan.calls() for complaint in complaints(call)]


@each_order
def test_what_is_read_back_makes_the_same_models_and_configuration(order: Order) -> None:
    read = running(order).order

    assert config_parameters(read) == config_parameters(order)
    for ours, theirs in zip(read.all_variants, order.all_variants, strict=True):
        assert container(read, ours.archive) == container(order, theirs.archive)
        assert model_parameters(read, ours) == model_parameters(order, theirs)


@each_of_copies
def test_what_is_read_back_makes_the_same_component(order: Order) -> None:
    now = running_copies(order)
    read, [variant] = now.order, now.order.variants

    assert config_parameters(read) == {
        **config_parameters(order),
        "EndpointConfigName": config_parameters(read)["EndpointConfigName"],
        "ProductionVariants": config_parameters(read)["ProductionVariants"],
    }
    assert model_parameters(read, variant) == model_parameters(order, order.variants[0])
    assert read.kind == order.kind
    assert read.timeouts == order.timeouts
    assert wrong(plan_component_update(now, read)) == []


@pytest.mark.parametrize("order", [each for each in COPIES if each.values[0].image])
def test_every_call_for_other_copies_is_one_that_aws_knows(order: Order) -> None:
    now = running_copies(order)
    fresh = replace(changed(now.order), tags={"team": "birds"}, variants=changed(order).variants)

    plan = plan_component_update(now, fresh)
    assert wrong(plan) == []
    [call] = [call for call in plan.calls() if call.operation == "UpdateInferenceComponent"]
    assert call.parameters["Specification"]["ModelName"] == model_of(fresh) != now.config
    assert wrong(plan_component_rollback(now, "cats-01234567")) == []


@each_changed
def test_every_planned_call_is_one_that_aws_knows(order: Order) -> None:
    now = running(order)
    fresh = changed(order)
    taken = 0
    for steps in ROLLOUTS.values():
        if not guarded(now, fresh) or not list(rollout.problems(steps, machines(now, fresh))):
            assert wrong(plan_update(now, fresh, steps)) == []
            taken += 1
    assert taken
    assert wrong(plan_rollback(now, "cats-01234567")) == []
    if len(order.variants) > 1:
        assert wrong(plan_weights(now, {each.name: 0.5 for each in order.variants})) == []


@each_changed
def test_shadows_networks_and_all_else_stay_in_an_update(order: Order) -> None:
    parts = {"variants", "bucket"}
    kept = {key: value for key, value in vars(running(order).order).items() if key not in parts}
    again = {key: vars(running(changed(order)).order)[key] for key in kept}

    if order.shadow is None or order.shadow.archive.url:
        assert again == kept
    assert (again["shadow"] is None) == (order.shadow is None)


def jobs() -> Iterator[Job]:
    """Batch jobs of every kind."""
    forms = itertools.product((False, True), ("", "image/png"), ((16, 6), (1, 100)))
    for lines, accept, (concurrency, payload) in forms:
        job = Job("s3://photos/there/", "s3://answers", "ml.m5.xlarge", 2, concurrency, payload)
        keys = {"kms_key": "alias/disks", "data_key": "alias/outputs"} if lines else {}
        yield replace(job, lines=lines, accept=accept, **keys)


@pytest.mark.parametrize("job", list(jobs()))
def test_every_batch_job_is_one_that_aws_knows(job: Job) -> None:
    order, name = ORDERS[0].values[0], names.timed("c" * 45, datetime.now(UTC))

    assert list(batch.problems(job)) == []
    assert wrong(batch.plan_job(order, job, name)) == []
    assert wrong(batch.plan_stop("cats", REGION, [name])) == []
    assert names.is_timed("c" * 45, name)
    asked = batch.creation(order, job, name, "model").parameters
    assert asked["TransformOutput"].get("KmsKeyId", "") == job.data_key
    assert asked["TransformResources"].get("VolumeKmsKeyId", "") == job.kms_key
    assert not names.is_of("c" * 45, name)


def test_what_is_removed_is_removed_by_calls_that_aws_knows() -> None:
    found = Leftovers(
        tuple(rollout.alarms("cats")),
        {"cats-1": ("m-1", "m-2"), "cats-2": ("m-2",), "cats-3": ("m-3",)},
        ("m-1", "m-2", "m-3", "m-4", "m-5"),
        ("m-5",),
    )
    plan = plan_pruning("cats", REGION, found, {"cats-2"})

    assert wrong(plan) == []
    removed = [value for step in plan.steps for value in words(step.call.parameters)]
    assert removed == [*rollout.alarms("cats"), "cats-1", "cats-3", "m-1", "m-3", "m-4"]


def words(parameters: Mapping[str, Any]) -> Iterator[str]:
    """The values of some parameters."""
    for value in parameters.values():
        yield from value if isinstance(value, list) else [value]


def test_ten_variants_are_watched_by_three_alarms() -> None:
    variants = tuple(Variant(f"v{number}", Archive(url="s3://a-b/c")) for number in range(10))
    order = replace(ORDERS[0].values[0], variants=variants)

    steps = list(rollout.alarm_steps(order, RollOut()))

    assert len(steps) == 3
    assert [complaint for step in steps for complaint in complaints(step.call)] == []
    assert [len(step.call.parameters.get("Metrics", ())) for step in steps] == [11, 11, 0]
    assert complaints(rollout.verdict("cats", 1)) == []


@pytest.mark.parametrize(
    ("steps", "count", "seconds"),
    [
        (RollOut(bake=300), 1, 300 + 3600),
        (RollOut("canary", Size(10), 600), 4, 2 * 600 + 3600),
        (RollOut("linear", Size(30), 600), 4, 5 * 600 + 3600),
        (RollOut("rolling", Size(1, percent=False), 60), 8, 9 * 60 + 3600),
    ],
)
def test_the_time_that_it_may_take_covers_all_the_waiting(
    steps: RollOut, count: int, seconds: int
) -> None:
    made = rollout.deployment_config(steps, "cats", count)
    policy = made.get("BlueGreenUpdatePolicy") or made["RollingUpdatePolicy"]

    assert policy["MaximumExecutionTimeoutInSeconds"] == seconds


def test_accounts_are_as_in_the_orders() -> None:
    assert running(ORDERS[0].values[0]).order.account == ACCOUNT
