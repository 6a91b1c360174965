"""What runs → the order that would make it, read from AWS alone: any machine can go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from deployment import names
from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.current import inventory, tags
from deployment.current.tags import is_ours
from deployment.errors import Misuse, Refused
from deployment.plan import observability
from deployment.plan.calls import Call, Look
from deployment.plan.endpoint import config_parameters, look_at
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
from deployment.plan.scaling import scaling_of
from deployment.plan.standing_alarms import alarms_of
from deployment.plan.state import Described, Running

ANEW = "`python deploy.py down {name}` and then `up {name} … --component MEMORY` make it anew."


def read(aws: Aws, name: str, *, stacked: bool = False, component: str = ANEW) -> Running:
    """What runs under a name, also as part of a CloudFormation stack if `stacked`.

    Raises `Refused` where there is nothing, or nothing of ours, and for an inference component,
    with what the sentence `component` says to do instead.
    """
    described = predictor.endpoint(aws, name).described
    own = names.own_tags(inventory.refuse_foreign(aws, described, name, stacked=stacked))
    config = describe(aws, "EndpointConfig", described["EndpointConfigName"])
    listed = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]
    if not all("ModelName" in each for each in listed):
        raise Refused(
            f"{name} runs an inference component, and this command knows production variants with "
            f"models only. {component.format(name=name)}",
            "inference component",
        )
    models = {
        model: describe(aws, "Model", model) for model in {each["ModelName"] for each in listed}
    }
    targets, policies = inventory.scaled(aws, name)
    made = order(name, aws.region, described, config, models)
    back, alarms = before(aws, config["EndpointConfigArn"]), inventory.alarms(aws, name)
    watched = alarms_of(name, alarms)
    return Running(
        described,
        replace(made, scaling=scaling_of(targets, policies), alarms=watched, tags=own),
        back,
        targets,
        policies,
        inventory.of_variants(aws, back, "VariantName") if back else (),
        tuple(each["AlarmName"] for each in alarms),
        inventory.dashboards(aws, name),
    )


def describe(aws: Aws, kind: str, name: str) -> Described:
    """A model or a configuration. Raises `Refused` where it is gone."""
    found: Described | None = aws.look(
        Look(Call("sagemaker", f"Describe{kind}", {f"{kind}Name": name}))
    )
    if found is None:
        raise Refused(
            f"{name}, which the endpoint runs on, is gone: somebody has removed it, and what runs "
            "can't be read without it. `python deploy.py down` and `up` make the endpoint anew.",
            "not found",
        )
    return found


def before(aws: Aws, arn: str) -> str:
    """What a configuration's tag says of the one before it; empty where it says nothing."""
    return tags.of(aws, arn).get(names.BEFORE, "")


# -- descriptions → an order ----------------------------------------------------------------------


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


class Owned(Protocol):
    """What names a role, and so an account."""

    @property
    def account(self) -> str:
        """The account's number."""
        ...


# -- before something else is made ----------------------------------------------------------------


def check_account(aws: Aws, order: Owned) -> Described:
    """Who asks. Raises `Misuse` where the role is of another account than the credentials."""
    caller = aws.caller()
    account = caller["Account"]
    if account != order.account:
        raise Misuse(
            f"--role is of the AWS account {order.account}, and your credentials are of {account}. "
            "SageMaker takes roles of its own account only: name one of yours, or choose other "
            "credentials with --profile."
        )
    return caller


def way(order: Order) -> str:
    """What makes the endpoint that is there into what is asked for."""
    if isinstance(order.kind, Component):
        return "It gets an inference component only when it is made: remove it with `down` first"
    return (
        f"`python deploy.py update {order.name}` changes it while it goes on answering; or remove "
        "it with `down` first"
    )


def state(aws: Aws, order: Order) -> str | None:
    """How an endpoint of this name is. Raises `Refused` for one that is to stay as it is."""
    name, found = order.name, aws.look(look_at(order.name))
    if found is None:
        return None
    if not is_ours(aws, found["EndpointArn"], name):
        raise Refused(
            f"The name {name} is taken: there is an endpoint of that name in {aws.region}, and "
            "deploy.py did not make it. Choose another name.",
            "not ours",
        )
    running, wanted = found["EndpointConfigName"], config_parameters(order)["EndpointConfigName"]
    if running != wanted and found["EndpointStatus"] not in ("Failed", "Deleting"):
        raise Refused(
            f"The endpoint {name} is there already, and runs something else: another archive or "
            f"image, or other options ({running} is not {wanted}). {way(order)}; or choose another "
            "name.",
            "taken",
        )
    return str(found["EndpointStatus"])
