"""What lets the number of machines follow the load: what there is of it, and taking it away."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.plan.calls import Call, Remove
from deployment.plan.scaling import SERVICE, WAKE

Things = tuple[Mapping[str, Any], ...]


def scaled(aws: Aws, name: str) -> tuple[Things, Things]:
    """What is scaled, and by which policies; also where the endpoint itself is gone."""
    begins = names.scalable(name, "")
    asked = {"ServiceNamespace": "sagemaker"}
    targets = aws.pages(Call(SERVICE, "DescribeScalableTargets", asked), "ScalableTargets")
    policies = aws.pages(Call(SERVICE, "DescribeScalingPolicies", asked), "ScalingPolicies")
    return (
        tuple(each for each in targets if each["ResourceId"].startswith(begins)),
        tuple(each for each in policies if each["ResourceId"].startswith(begins)),
    )


def steps(targets: Things, policies: Things, alarms: tuple[str, ...]) -> Iterator[Remove]:
    """Remove alarms, scaling policies, scaling targets."""
    if alarms:
        call = Call("cloudwatch", "DeleteAlarms", {"AlarmNames": list(alarms)})
        yield Remove(f"alarms {', '.join(alarms)}", call)
    for kind, operation, each in (
        *(("policy", "DeleteScalingPolicy", policy) for policy in policies),
        *(("target", "DeregisterScalableTarget", target) for target in targets),
    ):
        keys = ("PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension")
        parameters = {key: each[key] for key in keys if key in each}
        yield Remove(
            f"scaling {kind} {each.get('PolicyName', each['ResourceId'])}",
            Call(SERVICE, operation, parameters),
        )


def steps_of(
    name: str, scaled: tuple[Things, Things], variants: Collection[str]
) -> Iterator[Remove]:
    """The same for some variants alone."""
    places = {names.scalable(name, variant) for variant in variants}
    targets, policies = (
        tuple(each for each in things if each["ResourceId"] in places) for things in scaled
    )
    called = (each["PolicyName"] for each in policies)
    yield from steps(targets, policies, tuple(each for each in called if each.endswith(f"/{WAKE}")))
