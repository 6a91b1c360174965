"""Every call that is planned, for all options, is one that AWS's own description allows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, IMAGE, REGION, ROLE
from aws_models import complaints, service
from botocore import xform_name

from deployment.plan.calls import Make, Plan, Upload
from deployment.plan.endpoint import plan_up
from deployment.plan.limits import problems
from deployment.plan.order import (
    Archive,
    Async,
    Capture,
    Kind,
    Network,
    Order,
    RealTime,
    Scaling,
    Serverless,
    Timeouts,
    Variant,
)


def archive(number: int) -> Archive:
    """An archive on this machine, of some content."""
    return Archive(Path("model.tar.gz"), f"{number}" * 64)


KINDS: dict[str, Kind] = {
    "real-time": RealTime("ml.c5.xlarge", 2),
    "serverless": Serverless(2048, 10),
    "provisioned": Serverless(6144, 10, 2),
    "async": Async("s3://answers/there/"),
    "told": Async(
        "s3://answers",
        success_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:good",
        error_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:bad",
    ),
}

VARIANTS = {
    "one": (Variant("all", archive(1)),),
    "two": (Variant("a", archive(1), 90), Variant("b", archive(2), 0.5)),
    "in S3": (Variant("all", Archive(url="s3://models/here/model.tar.gz")),),
}

SCALINGS = {
    "fixed": None,
    "by requests": Scaling(1, 4, 700.5),
    "by concurrency": Scaling(2, 4, 3, "concurrency", 60, 30),
    "to zero": Scaling(0, 2, 5, "backlog"),
}

MORE: dict[str, dict[str, Any]] = {
    "plain": {},
    "full": {
        "bucket": "my-bucket",
        "environment": {"PLUMBLINE_SLOTS": "2"},
        "network": Network(("subnet-1a2b3c",), ("sg-1a2b3c",), isolated=True),
        "kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "capture": Capture("s3://kept/here", 20),
        "timeouts": Timeouts(600, 1200),
    },
    "shadowed": {"shadow": Variant("shade", archive(3))},
}


def orders() -> Iterator[Any]:
    """Every combination of options that AWS would take."""
    for names in itertools.product(KINDS, VARIANTS, SCALINGS, MORE):
        kind, variants, scaling, more = names
        order = Order(
            "cats",
            REGION,
            ROLE,
            IMAGE,
            VARIANTS[variants],
            KINDS[kind],
            scaling=SCALINGS[scaling],
            **MORE[more],
        )
        if not list(problems(order)):
            yield pytest.param(order, id=", ".join(names))


ORDERS = list(orders())

each_order = pytest.mark.parametrize("order", ORDERS)


@each_order
def test_every_planned_call_is_one_that_aws_knows(order: Order) -> None:
    plan = plan_up(order)

    assert [complaint for call in plan.calls() for complaint in complaints(call)] == []


@each_order
def test_everything_that_is_made_carries_a_tag_if_it_can(order: Order) -> None:
    for step in plan_up(order).steps:
        if isinstance(step, Make | Upload) and step.call.operation != "CreateBucket":
            model = service(step.call.service).operation_model(step.call.operation)
            for key in {"Tags", "Tagging"} & set(model.input_shape.members):
                assert "cats" in str(step.call.parameters[key])


def test_there_are_orders_of_every_kind() -> None:
    kinds = {type(parameter.values[0].kind) for parameter in ORDERS}
    assert kinds == {RealTime, Serverless, Async}
    assert len(ORDERS) > 40


def test_operations_are_methods_of_boto3() -> None:
    for call in everything().calls():
        assert re.fullmatch(r"[a-z_0-9]+", xform_name(call.operation))


def everything() -> Plan:
    """A plan with every kind of step."""
    return plan_up(
        Order(
            "cats",
            REGION,
            ROLE,
            IMAGE,
            VARIANTS["two"],
            KINDS["async"],
            scaling=SCALINGS["to zero"],
        )
    )


def test_the_same_order_has_the_same_plan_and_another_one_other_names() -> None:
    def models(*variants: Variant) -> list[str]:
        steps = plan_up(Order("cats", REGION, ROLE, IMAGE, variants)).steps
        return [step.what for step in steps if step.what.startswith(("model", "conf"))]

    assert models(Variant("all", archive(1))) == models(Variant("all", archive(1)))
    assert not set(models(Variant("all", archive(1)))) & set(models(Variant("all", archive(2))))
