"""What an ended roll-out leaves behind: alarms, and the versions that nothing goes back to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from deployment.aws.client import Aws
from deployment.plan import batch, rollout, teardown
from deployment.plan.calls import Call, Look, Plan, Remove, Step


@dataclass(frozen=True)
class Leftovers:
    """What there is of a deployment beside its endpoint."""

    alarms: tuple[str, ...] = ()
    models_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The models of each configuration."""
    models: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    """Models that something else runs on."""


def plan_pruning(name: str, region: str, found: Leftovers, kept: Collection[str]) -> Plan:
    """Remove the alarms, and the configurations and models that are not those of `kept`."""
    needed = {*found.used, *(model for config in kept for model in found.models_of.get(config, ()))}
    steps: list[Step] = []
    if found.alarms:
        call = Call("cloudwatch", "DeleteAlarms", {"AlarmNames": list(found.alarms)})
        steps.append(Remove("alarms of the roll-out", call))
    for config in found.models_of:
        if config not in kept:
            call = Call("sagemaker", "DeleteEndpointConfig", {"EndpointConfigName": config})
            steps.append(Remove(f"configuration {config}, which nothing goes back to", call))
    for model in found.models:
        if model not in needed:
            call = Call("sagemaker", "DeleteModel", {"ModelName": model})
            steps.append(Remove(f"model {model}, which nothing goes back to", call))
    return Plan(name, region, tuple(steps))


def leftovers(aws: Aws, name: str) -> Leftovers:
    """What there is, as AWS lists it."""
    configs = teardown.listed(aws, name, "ListEndpointConfigs", "EndpointConfigs", "EndpointConfig")
    models = teardown.listed(aws, name, "ListModels", "Models", "Model")
    guards = set(rollout.alarms(name))
    return Leftovers(
        tuple(alarm for alarm in teardown.alarms(aws, name) if alarm in guards),
        {config: tuple(models_of(aws, config)) for config in configs},
        models,
        tuple(job["ModelName"] for job in batch.running(aws, name)),
    )


def models_of(aws: Aws, config: str) -> Iterator[str]:
    """The models of a configuration."""
    call = Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": config})
    yield from (
        aws.look(Look(call, "[ProductionVariants, ShadowProductionVariants][].ModelName")) or ()
    )
