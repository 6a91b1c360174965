"""Scaling → the calls that let AWS change the number of machines with the load, or end that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from deployment import names
from deployment.plan.calls import Answer, Call, Look, Make, Remove
from deployment.plan.order import (
    IN_COOLDOWN,
    OUT_COOLDOWN,
    Component,
    Order,
    Scaling,
    Variant,
)

SERVICE = "application-autoscaling"

COUNT = "sagemaker:variant:DesiredInstanceCount"

COPIES = "sagemaker:inference-component:DesiredCopyCount"

OF_COPIES = {
    "invocations": "SageMakerInferenceComponentInvocationsPerCopy",
    "concurrency": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution",
}
"""The same as PREDEFINED for a copy of an inference component."""

PREDEFINED = {
    "invocations": "SageMakerVariantInvocationsPerInstance",
    "concurrency": "SageMakerVariantConcurrentRequestsPerModelHighResolution",
}
"""AWS's names for what is measured of a machine: requests a minute, requests at a time."""

BACKLOG = "ApproximateBacklogSizePerInstance"
"""AWS's name for the requests that wait in an async queue."""

Things = tuple[Mapping[str, Any], ...]
"""What AWS has of a kind, as it describes it."""

WAKE = "wake"
"""What the policy and the alarm are called that bring the first machine."""


def scaling_steps(order: Order, settled: Collection[str] = ()) -> Iterator[Make]:
    """For each variant that answers, but for `settled`: its bounds, and what is at its target."""
    if order.scaling is None:
        return
    for variant in order.variants:
        if variant.name in settled:
            continue
        yield make_target(order, order.scaling, variant)
        yield make_policy(order, order.scaling, variant)
        if order.scaling.least == 0:
            yield from waking_steps(order, variant)


def place(order: Order, variant: Variant) -> dict[str, str]:
    """How Application Auto Scaling names the number of machines of a variant."""
    component = isinstance(order.kind, Component)
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": (
            names.copies(order.name) if component else names.scalable(order.name, variant.name)
        ),
        "ScalableDimension": COPIES if component else COUNT,
    }


def make_target(order: Order, scaling: Scaling, variant: Variant) -> Make:
    """The bounds."""
    where = place(order, variant)
    bounds = {"MinCapacity": scaling.least, "MaxCapacity": scaling.most}
    asked = {**where, "ResourceIds": [where["ResourceId"]]}
    del asked["ResourceId"]
    tagged = {tag["Key"]: tag["Value"] for tag in names.tags(order.name, order.tags)}
    return Make(
        f"scaling of {variant.name}",
        Call(SERVICE, "RegisterScalableTarget", {**where, **bounds, "Tags": tagged}),
        Look(Call(SERVICE, "DescribeScalableTargets", asked), "ScalableTargets[0]"),
        expected=bounds,
        again=True,
    )


def make_policy(order: Order, scaling: Scaling, variant: Variant) -> Make:
    """Target tracking: AWS adds and takes away machines to keep a measure at its target."""
    policy = names.alarm(order.name, f"{variant.name}/load")
    tracking = {
        "TargetValue": scaling.target,
        **measure(order, scaling),
        "ScaleInCooldown": scaling.in_cooldown,
        "ScaleOutCooldown": scaling.out_cooldown,
    }
    parameters = {
        "PolicyName": policy,
        **place(order, variant),
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
    return Make(
        f"scaling policy of {variant.name}",
        Call(SERVICE, "PutScalingPolicy", parameters),
        look_at_policy(order, variant, policy),
        expected={"TargetTrackingScalingPolicyConfiguration": tracking},
        again=True,
    )


def scaling_of(
    targets: Iterable[Mapping[str, Any]], policies: Iterable[Mapping[str, Any]]
) -> Scaling | None:
    """The scaling that makes the first of these; None where no policy is as one from here."""
    places = {each["ResourceId"]: each for each in targets}
    for policy in policies:
        target = places.get(policy["ResourceId"])
        tracked = policy.get("TargetTrackingScalingPolicyConfiguration") or {}
        metric = metric_of(tracked)
        if target and metric:
            return Scaling(
                target["MinCapacity"],
                target["MaxCapacity"],
                tracked["TargetValue"],
                metric,
                tracked.get("ScaleInCooldown", IN_COOLDOWN),
                tracked.get("ScaleOutCooldown", OUT_COOLDOWN),
            )
    return None


def metric_of(tracked: Mapping[str, Any]) -> str:
    """Our name for what a policy measures; empty for what is measured by none from here."""
    measured = tracked.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    own = tracked.get("CustomizedMetricSpecification", {}).get("MetricName")
    known = {
        theirs: ours for table in (PREDEFINED, OF_COPIES) for ours, theirs in table.items()
    } | {BACKLOG: "backlog"}
    return known.get(measured or own, "")


def look_at_policy(order: Order, variant: Variant, policy: str) -> Look:
    """One policy of a variant."""
    asked = {**place(order, variant), "PolicyNames": [policy]}
    found = f"ScalingPolicies[?PolicyName=='{policy}'] | [0]"
    return Look(Call(SERVICE, "DescribeScalingPolicies", asked), found)


def measure(order: Order, scaling: Scaling) -> dict[str, Any]:
    """What is measured: requests by the machine, or those that wait in an async queue."""
    if scaling.metric in PREDEFINED:
        known = OF_COPIES if isinstance(order.kind, Component) else PREDEFINED
        metric = {"PredefinedMetricType": known[scaling.metric]}
        return {"PredefinedMetricSpecification": metric}
    return {
        "CustomizedMetricSpecification": {
            "MetricName": BACKLOG,
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": order.name}],
            "Statistic": "Average",
        }
    }


QUEUED = {
    "MetricName": "HasBacklogWithoutCapacity",
    "Statistic": "Average",
    "EvaluationPeriods": 2,
    "DatapointsToAlarm": 2,
}
"""What tells that requests wait for a machine."""

UNQUEUED = {
    "MetricName": "NoCapacityInvocationFailures",
    "Statistic": "Sum",
    "EvaluationPeriods": 1,
    "DatapointsToAlarm": 1,
}
"""What tells that requests were refused, for want of a copy: these wait nowhere."""


def unserved(order: Order) -> dict[str, str]:
    """Of what that is told."""
    if isinstance(order.kind, Component):
        return {"Name": "InferenceComponentName", "Value": names.component(order.name)}
    return {"Name": "EndpointName", "Value": order.name}


def waking_steps(order: Order, variant: Variant) -> Iterator[Make]:
    """From no machine to one as soon as a request waits: target tracking alone would not."""
    queued = not isinstance(order.kind, Component)
    policy = names.alarm(order.name, f"{variant.name}/{WAKE}")
    step = f"waking policy of {variant.name}"
    parameters = {
        "PolicyName": policy,
        **place(order, variant),
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average" if queued else "Maximum",
            "Cooldown": 300,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    }
    look = look_at_policy(order, variant, policy)
    yield Make(step, Call(SERVICE, "PutScalingPolicy", parameters), look)
    alarm = {
        "AlarmName": policy,
        "Namespace": "AWS/SageMaker",
        "Period": 60,
        **(UNQUEUED if not queued else QUEUED),
        "Dimensions": [unserved(order)],
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
        "AlarmActions": [Answer(step, "PolicyARN")],
        "Tags": names.tags(order.name, order.tags),
    }
    asked = {"AlarmNames": [policy]}
    yield Make(
        f"alarm {policy}",
        Call("cloudwatch", "PutMetricAlarm", alarm),
        Look(Call("cloudwatch", "DescribeAlarms", asked), "MetricAlarms[0]"),
    )


# -- taking it away -------------------------------------------------------------------------------


def ending_steps(targets: Things, policies: Things, alarms: tuple[str, ...]) -> Iterator[Remove]:
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


def ending_steps_of(
    name: str, scaled: tuple[Things, Things], variants: Collection[str]
) -> Iterator[Remove]:
    """The same for some variants alone."""
    places = {names.scalable(name, variant) for variant in variants}
    targets, policies = (
        tuple(each for each in things if each["ResourceId"] in places) for things in scaled
    )
    called = (each["PolicyName"] for each in policies)
    yield from ending_steps(
        targets, policies, tuple(each for each in called if each.endswith(f"/{WAKE}"))
    )
