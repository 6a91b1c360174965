"""What AWS describes of an endpoint → the order that would make it."""

from __future__ import annotations

from collections.abc import Mapping

from deployment import names
from deployment.aws.s3 import place
from deployment.plan import observability
from deployment.plan.order import (
    Archive,
    Async,
    Capture,
    Component,
    Kind,
    Network,
    Order,
    RealTime,
    Serverless,
    Timeouts,
    Variant,
    as_kept,
)
from deployment.plan.state import Described


def order(
    name: str, region: str, endpoint: Described, config: Described, models: Mapping[str, Described]
) -> Order:
    """The order that makes just this configuration of just these models."""
    listed = config["ProductionVariants"]
    weights = {
        each["VariantName"]: each["DesiredWeight"]
        for each in endpoint.get("ProductionVariants") or ()
        if "DesiredWeight" in each
    }
    shadows = [variant(each, models) for each in config.get("ShadowProductionVariants", ())]
    model = models[listed[0]["ModelName"]]
    container = model["PrimaryContainer"]
    bucket, key = place(archive(container).url)
    metrics, environment = observability.read(name, config, container)
    return Order(
        name,
        region,
        role=model["ExecutionRoleArn"],
        image=container.get("Image", ""),
        variants=tuple(variant(each, models, weights) for each in listed),
        kind=kind(config),
        shadow=shadows[0] if shadows else None,
        bucket=bucket if key.startswith(names.prefix(name)) else "",
        environment=environment,
        multi=container.get("Mode") == "MultiModel",
        network=network(model),
        kms_key=config.get("KmsKeyId") or "",
        capture=capture(config.get("DataCaptureConfig") or {}),
        timeouts=timeouts(listed[0]),
        metrics=metrics,
        routing=(listed[0].get("RoutingConfig") or {}).get("RoutingStrategy", ""),
        data_key=data_key(config),
    )


def data_key(config: Described) -> str:
    """The key for what is kept in S3."""
    output = (config.get("AsyncInferenceConfig") or {}).get("OutputConfig") or {}
    kept = config.get("DataCaptureConfig") or {}
    return str(output.get("KmsKeyId") or kept.get("KmsKeyId") or "")


def variant(
    described: Described,
    models: Mapping[str, Described],
    weights: Mapping[str, float] | None = None,
) -> Variant:
    """A variant with the share that it has by now."""
    name = described["VariantName"]
    found = archive(models[described["ModelName"]]["PrimaryContainer"])
    weight = (weights or {}).get(name, described["InitialVariantWeight"])
    return Variant(name, found, as_kept(weight))


def archive(container: Described) -> Archive:
    """Where a model's archive is."""
    if package := container.get("ModelPackageName"):
        return Archive(package=package)
    folder = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return Archive(url=folder.get("S3Uri") or container.get("ModelDataUrl") or "")


def kind(config: Described) -> Kind:
    """Which kind of endpoint."""
    first = config["ProductionVariants"][0]
    if "ServerlessConfig" in first:
        size = first["ServerlessConfig"]
        provisioned = size.get("ProvisionedConcurrency", 0)
        return Serverless(size["MemorySizeInMB"], size["MaxConcurrency"], provisioned)
    pools = sorted(first.get("InstancePools") or (), key=lambda each: each["Priority"])
    tried = [each["InstanceType"] for each in pools] or [first["InstanceType"]]
    machines = tried[0], first["InitialInstanceCount"]
    answers = config.get("AsyncInferenceConfig")
    if not answers:
        return RealTime(*machines, tuple(tried[1:]))
    output, topics = answers["OutputConfig"], answers["OutputConfig"].get("NotificationConfig", {})
    concurrency = answers.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", 4)
    told = topics.get("SuccessTopic", ""), topics.get("ErrorTopic", "")
    return Async(output["S3OutputPath"], *machines, concurrency, *told)


def network(model: Described) -> Network:
    """Where the containers run."""
    place = model.get("VpcConfig") or {}
    return Network(
        tuple(place.get("Subnets", ())),
        tuple(place.get("SecurityGroupIds", ())),
        bool(model.get("EnableNetworkIsolation")),
    )


def capture(described: Described) -> Capture | None:
    """What is kept of requests."""
    if not described.get("EnableCapture"):
        return None
    return Capture(
        described["DestinationS3Uri"],
        described["InitialSamplingPercentage"],
        "CaptureContentTypeHeader" in described,
    )


def timeouts(variant: Described) -> Timeouts:
    """What SageMaker waits for."""
    return Timeouts(
        variant.get("ContainerStartupHealthCheckTimeoutInSeconds"),
        variant.get("ModelDataDownloadTimeoutInSeconds"),
    )


# -- inference components -------------------------------------------------------------------------


def order_of_copies(
    name: str, region: str, component: Described, config: Described, model: Described
) -> Order:
    """The order that makes this component, of this model, on the machines of its endpoint."""
    [machines] = config["ProductionVariants"]
    container, copy = model["PrimaryContainer"], component["Specification"]
    bucket, key = place(archive(container).url)
    metrics, environment = observability.read(name, config, container)
    return Order(
        name,
        region,
        role=model["ExecutionRoleArn"],
        image=container.get("Image", ""),
        variants=(Variant(machines["VariantName"], archive(container)),),
        kind=copies(component, machines["InstanceType"]),
        bucket=bucket if key.startswith(names.prefix(name)) else "",
        environment=environment,
        network=network(config),
        kms_key=config.get("KmsKeyId") or "",
        capture=capture(config.get("DataCaptureConfig") or {}),
        timeouts=timeouts(copy.get("StartupParameters") or {}),
        metrics=metrics,
        routing=(machines.get("RoutingConfig") or {}).get("RoutingStrategy", ""),
        data_key=data_key(config),
    )


def copies(component: Described, instance: str) -> Component:
    """How large the copies are, and how many there are to be."""
    needs = component["Specification"].get("ComputeResourceRequirements") or {}
    count = (component.get("RuntimeConfig") or {}).get("DesiredCopyCount", 1)
    cpus = needs.get("NumberOfCpuCoresRequired", 1.0)
    return Component(needs.get("MinMemoryRequiredInMb", 0), instance, count, cpus)
