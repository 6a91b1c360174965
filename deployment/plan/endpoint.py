"""Order → the calls that `up` makes, as data. Nothing here asks AWS, reads a file or a clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployment import names
from deployment.plan import observability
from deployment.plan.calls import Call, Look, Make, Plan, Remove, Step, Wait
from deployment.plan.components import component_steps, managed
from deployment.plan.cost import costs
from deployment.plan.models import (
    model_parameters,
    model_steps,
    network_parameters,
    upload_steps,
)
from deployment.plan.order import (
    Async,
    Capture,
    Component,
    Order,
    RealTime,
    Serverless,
    Variant,
    as_kept,
)
from deployment.plan.scaling import scaling_steps
from deployment.plan.standing_alarms import standing_steps

TEXTS = {
    "CsvContentTypes": ["text/csv"],
    "JsonContentTypes": ["application/json", "application/jsonlines"],
}
"""The media types of answers, and of requests, that are captured as text."""

STARTING = ("Creating", "Updating", "SystemUpdating", "RollingBack")


def plan_up(order: Order, state: str | None = None) -> Plan:
    """Upload, models, configuration, endpoint, waiting, scaling: in this order.

    `state` is that of an endpoint of this name; one that has failed can only be made anew.
    """
    config = config_parameters(order)
    steps = (
        *clearing_steps(order.name, state),
        *upload_steps(order),
        *model_steps(order),
        make_config(config),
        *log_steps(order),
        make_endpoint(order, config["EndpointConfigName"]),
        wait_for(order.name),
        *component_steps(order),
        *scaling_steps(order),
        *standing_steps(order),
    )
    return Plan(order.name, order.region, steps, tuple(costs(order)))


# -- the configuration --------------------------------------------------------------------------


def config_parameters(order: Order) -> dict[str, Any]:
    """What CreateEndpointConfig is told: which models run on what, and what is kept."""
    parameters: dict[str, Any] = {
        "ProductionVariants": [variant_parameters(order, each) for each in order.variants]
    }
    if isinstance(order.kind, Component):
        parameters.update({"ExecutionRoleArn": order.role, **network_parameters(order)})
    if order.shadow:
        parameters["ShadowProductionVariants"] = [variant_parameters(order, order.shadow)]
    if order.kms_key:
        parameters["KmsKeyId"] = order.kms_key
    if isinstance(order.kind, Async):
        parameters["AsyncInferenceConfig"] = async_parameters(order, order.kind)
    if order.capture:
        parameters["DataCaptureConfig"] = capture_parameters(order, order.capture)
    parameters |= observability.of_endpoint(order)
    name = names.versioned(order.name, parameters)
    return {"EndpointConfigName": name, **parameters, "Tags": names.tags(order.name, order.tags)}


def variant_parameters(order: Order, variant: Variant) -> dict[str, Any]:
    """One variant: its model, its share of the requests and what it runs on."""
    if isinstance(order.kind, Component):
        return {"VariantName": variant.name, **managed(order, order.kind), **routing(order)}
    parameters: dict[str, Any] = {
        "VariantName": variant.name,
        "ModelName": model_parameters(order, variant)["ModelName"],
        "InitialVariantWeight": as_kept(variant.weight),
    }
    if isinstance(order.kind, Serverless):
        return {**parameters, "ServerlessConfig": serverless_parameters(order.kind)}
    limits = {
        "ContainerStartupHealthCheckTimeoutInSeconds": order.timeouts.health,
        "ModelDataDownloadTimeoutInSeconds": order.timeouts.download,
    }
    return {
        **parameters,
        **machine_parameters(order.kind),
        **({} if variant is order.shadow or isinstance(order.kind, Async) else routing(order)),
        **{key: value for key, value in limits.items() if value is not None},
    }


def machine_parameters(kind: RealTime | Async) -> dict[str, Any]:
    """The type of the machines, or several in the order in which they are tried."""
    if not (isinstance(kind, RealTime) and kind.pools):
        return {"InstanceType": kind.instance, "InitialInstanceCount": kind.count}
    tried = enumerate((kind.instance, *kind.pools), 1)
    pools = [{"InstanceType": instance, "Priority": turn} for turn, instance in tried]
    return {"InstancePools": pools, "InitialInstanceCount": kind.count}


def routing(order: Order) -> dict[str, Any]:
    """Which machine gets a request."""
    return {"RoutingConfig": {"RoutingStrategy": order.routing}} if order.routing else {}


def serverless_parameters(kind: Serverless) -> dict[str, int]:
    """Memory, and how many requests are answered at a time."""
    parameters = {"MemorySizeInMB": kind.memory, "MaxConcurrency": kind.concurrency}
    if kind.provisioned:
        parameters["ProvisionedConcurrency"] = kind.provisioned
    return parameters


def capture_parameters(order: Order, capture: Capture) -> dict[str, Any]:
    """What is kept of requests; JSON and CSV as text, and not in Base64, where that is wanted."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": capture.percent,
        "DestinationS3Uri": capture.url,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        **({"KmsKeyId": order.data_key} if order.data_key else {}),
        **({"CaptureContentTypeHeader": TEXTS} if capture.json else {}),
    }


def async_parameters(order: Order, kind: Async) -> dict[str, Any]:
    """Where answers go, and who is told."""
    topics = {"SuccessTopic": kind.success_topic, "ErrorTopic": kind.error_topic}
    output: dict[str, Any] = {"S3OutputPath": kind.output}
    if order.data_key:
        output["KmsKeyId"] = order.data_key
    if told := {key: topic for key, topic in topics.items() if topic}:
        output["NotificationConfig"] = told
    return {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": kind.concurrency},
        "OutputConfig": output,
    }


def make_config(parameters: dict[str, Any]) -> Make:
    """The configuration; its name says what is in it."""
    name = parameters["EndpointConfigName"]
    return Make(
        f"configuration {name}",
        Call("sagemaker", "CreateEndpointConfig", parameters),
        Look(Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": name})),
    )


# -- the endpoint -------------------------------------------------------------------------------


def log_steps(order: Order) -> Iterator[Make]:
    """The endpoint's log, which CloudWatch keeps for so long; SageMaker would make it for ever."""
    if order.log_days is None:
        return
    group = names.log_group(order.name)
    tags = {tag["Key"]: tag["Value"] for tag in names.tags(order.name, order.tags)}
    asked = Call("logs", "DescribeLogGroups", {"logGroupNamePrefix": group})
    found = Look(asked, f"logGroups[?logGroupName=='{group}'] | [0]")
    made = {"logGroupName": group}
    kept = {"retentionInDays": order.log_days}
    yield Make(f"log group {group}", Call("logs", "CreateLogGroup", {**made, "tags": tags}), found)
    yield Make(
        f"rule that keeps the log for {order.log_days} days",
        Call("logs", "PutRetentionPolicy", {**made, **kept}),
        Look(asked, f"{found.found}.{{retentionInDays: retentionInDays}}"),
        expected=kept,
        again=True,
        doing="Setting",
    )


def look_at(name: str) -> Look:
    """The endpoint as SageMaker describes it."""
    return Look(Call("sagemaker", "DescribeEndpoint", {"EndpointName": name}))


def state_of(name: str) -> Look:
    """The endpoint's state alone."""
    return Look(look_at(name).call, "EndpointStatus")


def clearing_steps(name: str, state: str | None) -> Iterator[Step]:
    """What makes room for an endpoint: SageMaker does nothing for one that failed but remove it."""
    if state == "Failed":
        call = Call("sagemaker", "DeleteEndpoint", {"EndpointName": name})
        yield Remove(f"endpoint {name}, which failed", call, gone=state_of(name))
    elif state == "Deleting":
        yield Wait(f"endpoint {name}", look_at(name), "EndpointStatus", ("missing",), ())


def make_endpoint(order: Order, config: str) -> Make:
    """The endpoint; one that is there must run this very configuration."""
    parameters = {
        "EndpointName": order.name,
        "EndpointConfigName": config,
        "Tags": names.tags(order.name, order.tags),
    }
    return Make(
        f"endpoint {order.name}",
        Call("sagemaker", "CreateEndpoint", parameters),
        look_at(order.name),
        expected={"EndpointConfigName": config},
    )


def wait_for(name: str) -> Wait:
    """Until the endpoint answers, or has failed to come up."""
    return Wait(
        f"endpoint {name}",
        look_at(name),
        "EndpointStatus",
        good=("InService",),
        bad=("Failed", "OutOfService", "UpdateRollbackFailed"),
    )
