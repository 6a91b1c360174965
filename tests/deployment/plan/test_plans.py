"""Every call that is planned, for all options, is one that AWS's own description allows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from aws_account import ACCOUNT, IMAGE, REGION, ROLE
from aws_models import complaints, service
from botocore import xform_name

from deployment.plan.calls import Make, Plan, Upload
from deployment.plan.endpoint import plan_up
from deployment.plan.limits import problems
from deployment.plan.order import (
    Alarms,
    Archive,
    Async,
    Capture,
    Component,
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
    "several types": RealTime("ml.c7i.xlarge", 2, ("ml.c6i.xlarge", "ml.c5.xlarge")),
    "component": Component(2048, "ml.c5.xlarge", 2, 0.5),
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
    "a folder": (Variant("all", Archive(url="s3://models/here/")),),
    "a package": (
        Variant("all", Archive(package=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/c/1")),
    ),
}

SCALINGS = {
    "fixed": None,
    "by requests": Scaling(1, 4, 700.5),
    "by concurrency": Scaling(2, 4, 3, "concurrency", 60, 30),
    "to zero": Scaling(0, 2, 5, "backlog"),
    "copies to zero": Scaling(0, 2, 5, "concurrency"),
}

MORE: dict[str, dict[str, Any]] = {
    "plain": {},
    "full": {
        "bucket": "my-bucket",
        "environment": {"PLUMBLINE_SLOTS": "2"},
        "network": Network(("subnet-1a2b3c4d",), ("sg-1a2b3c4d",), isolated=True),
        "kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "capture": Capture("s3://kept/here", 20),
        "timeouts": Timeouts(600, 1200),
        "metrics": 60,
        "alarms": Alarms(f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms", 250.0),
        "tags": {"team": "vision", "Kosten stelle": "4711/a"},
        "data_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/5678abcd-12ab-34cd-56ef-1234567890ab",
        "log_days": 30,
    },
    "many models": {"multi": True},
    "shadowed": {
        "shadow": Variant("shade", archive(3)),
        "routing": "LEAST_OUTSTANDING_REQUESTS",
    },
    "measured": {"metrics": 10},
}


MISMATCHED = {
    ("component", "to zero"),
    *(("async", each) for each in ("copies to zero",)),
    *((variants, "many models") for variants in ("two", "in S3", "a folder", "a package")),
}
"""What `deploy.py` does not let one type together."""


def unusual(names: tuple[str, ...]) -> bool:
    """Whether more than one is of those that are tried with the plainest of the others alone."""
    rare = {"several types", "a folder", "a package", "told", "provisioned", "many models"}
    return len(rare.intersection(names)) > 1 or (bool(rare & {*names[1:2]}) and "full" in names)


def orders() -> Iterator[Any]:
    """Every combination of options that AWS would take."""
    for names in itertools.product(KINDS, VARIANTS, SCALINGS, MORE):
        kind, variants, scaling, more = names
        if MISMATCHED & {(kind, scaling), (variants, more)} or unusual(names):
            continue
        order = Order(
            "cats",
            REGION,
            ROLE,
            "" if variants == "a package" else IMAGE,
            VARIANTS[variants],
            KINDS[kind],
            scaling=SCALINGS[scaling],
            **MORE[more],
        )
        if order.metrics and not isinstance(order.kind, RealTime):
            order = replace(order, metrics=60)  # the only one that those take
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
            for key in {"Tags", "Tagging", "tags"} & set(model.input_shape.members):
                written = unquote_plus(str(step.call.parameters[key]))
                assert "cats" in written
                assert all(tag in written for tag in order.tags)


def test_there_are_orders_of_every_kind() -> None:
    kinds = {type(parameter.values[0].kind) for parameter in ORDERS}
    assert kinds == {RealTime, Serverless, Async, Component}
    assert len(ORDERS) > 40


@pytest.mark.parametrize("option", [field.name for field in fields(Order)])
def test_there_are_orders_with_every_option(option: str) -> None:
    given = {str(getattr(parameter.values[0], option)) for parameter in ORDERS}

    assert len(given) > 1 or option in ALWAYS


ALWAYS = ("name", "region", "role", "image")
"""What every order says, and none can leave out."""


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
