"""An inference component: copies of a model on machines that SageMaker adds, and takes away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployment import names
from deployment.plan.calls import Call, Look, Make, Remove, Step, Wait
from deployment.plan.models import model_parameters
from deployment.plan.order import Component, Order


def managed(order: Order, kind: Component) -> dict[str, Any]:
    """The machines of a variant whose number follows from the copies that run on them."""
    least = 0 if order.scaling and order.scaling.least == 0 else 1
    bounds = {
        "Status": "ENABLED",
        "MinInstanceCount": least,
        "MaxInstanceCount": most_instances(order, kind),
    }
    return {
        "InstanceType": kind.instance,
        "InitialInstanceCount": 1,
        "ManagedInstanceScaling": bounds,
    }


def most_instances(order: Order, kind: Component) -> int:
    """How many there are at most: one for each copy."""
    return max(kind.count, order.scaling.most if order.scaling else 1)


def component_steps(order: Order) -> Iterator[Step]:
    """The component, once the endpoint is there, and waiting until a copy answers."""
    if not isinstance(order.kind, Component):
        return
    [variant] = order.variants
    name = names.component(order.name)
    model = model_parameters(order, variant)["ModelName"]
    asked = {
        "InferenceComponentName": name,
        "EndpointName": order.name,
        "VariantName": variant.name,
        "Specification": specification(order, order.kind, model),
        "RuntimeConfig": {"CopyCount": order.kind.count},
        "Tags": names.tags(order.name, order.tags),
    }
    yield Make(
        f"inference component {name}",
        Call("sagemaker", "CreateInferenceComponent", asked),
        look_at(name),
        expected={"Specification": {"ModelName": model}},
    )
    status = "InferenceComponentStatus"
    yield Wait(f"inference component {name}", look_at(name), status, ("InService",), ("Failed",))


def specification(order: Order, kind: Component, model: str) -> dict[str, Any]:
    """The model of a copy, what it needs, and how long it may take to start."""
    waits = {
        "ContainerStartupHealthCheckTimeoutInSeconds": order.timeouts.health,
        "ModelDataDownloadTimeoutInSeconds": order.timeouts.download,
    }
    started = {key: seconds for key, seconds in waits.items() if seconds is not None}
    needs = {"NumberOfCpuCoresRequired": kind.cpus, "MinMemoryRequiredInMb": kind.memory}
    return {
        "ModelName": model,
        "ComputeResourceRequirements": needs,
        **({"StartupParameters": started} if started else {}),
    }


def look_at(name: str) -> Look:
    """A component as SageMaker describes it."""
    call = Call("sagemaker", "DescribeInferenceComponent", {"InferenceComponentName": name})
    return Look(call)


def removal(name: str) -> Remove:
    """What ends a component: an endpoint goes only without any."""
    gone = Look(look_at(name).call, "InferenceComponentStatus")
    call = Call("sagemaker", "DeleteInferenceComponent", {"InferenceComponentName": name})
    return Remove(f"inference component {name}", call, gone=gone)
