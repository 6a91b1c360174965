"""What runs → the order that would make it, read from AWS alone: any machine can go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deployment import names
from deployment.aws import predictor
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.current import inventory
from deployment.errors import Misuse, Refused
from deployment.plan.calls import Call, Look
from deployment.plan.endpoint import config_parameters, look_at
from deployment.plan.order import (
    Archive,
    Async,
    Capture,
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
from deployment.plan.state import Described, Running


def read(aws: Aws, name: str) -> Running:
    """What runs under a name. Raises `Refused` where there is nothing, or nothing of ours."""
    described = predictor.endpoint(aws, name).described
    inventory.refuse_foreign(aws, described, name)
    config = describe(aws, "EndpointConfig", described["EndpointConfigName"])
    listed = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]
    models = {
        model: describe(aws, "Model", model) for model in {each["ModelName"] for each in listed}
    }
    targets, policies = inventory.scaled(aws, name)
    made = order(name, aws.region, described, config, models)
    back = before(aws, config["EndpointConfigArn"])
    return Running(
        described,
        replace(made, scaling=scaling_of(targets, policies)),
        back,
        targets,
        policies,
        inventory.of_variants(aws, back, "VariantName") if back else (),
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


def variants_of(aws: Aws, config: str) -> tuple[str, ...]:
    """The variants of a configuration. Raises `Refused` where it is gone."""
    listed = describe(aws, "EndpointConfig", config)["ProductionVariants"]
    return tuple(each["VariantName"] for each in listed)


def before(aws: Aws, arn: str) -> str:
    """What a configuration's tag says of the one before it; empty where it says nothing."""
    tags = aws.pages(Call("sagemaker", "ListTags", {"ResourceArn": arn}), "Tags")
    return {tag["Key"]: str(tag["Value"]) for tag in tags}.get(names.BEFORE, "")


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
    bucket, key = place(model["PrimaryContainer"]["ModelDataUrl"])
    return Order(
        name,
        region,
        role=model["ExecutionRoleArn"],
        image=model["PrimaryContainer"]["Image"],
        variants=tuple(variant(each, models, weights) for each in listed),
        kind=kind(config),
        shadow=shadows[0] if shadows else None,
        bucket=bucket if key.startswith(names.prefix(name)) else "",
        environment=model["PrimaryContainer"].get("Environment", {}),
        network=network(model),
        kms_key=config.get("KmsKeyId") or "",
        capture=capture(config.get("DataCaptureConfig") or {}),
        timeouts=timeouts(listed[0]),
    )


def variant(
    described: Described,
    models: Mapping[str, Described],
    weights: Mapping[str, float] | None = None,
) -> Variant:
    """A variant with the share that it has by now."""
    name = described["VariantName"]
    archive = Archive(url=models[described["ModelName"]]["PrimaryContainer"]["ModelDataUrl"])
    weight = (weights or {}).get(name, described["InitialVariantWeight"])
    return Variant(name, archive, as_kept(weight))


def kind(config: Described) -> Kind:
    """Which kind of endpoint."""
    first = config["ProductionVariants"][0]
    if "ServerlessConfig" in first:
        size = first["ServerlessConfig"]
        provisioned = size.get("ProvisionedConcurrency", 0)
        return Serverless(size["MemorySizeInMB"], size["MaxConcurrency"], provisioned)
    machines = first["InstanceType"], first["InitialInstanceCount"]
    answers = config.get("AsyncInferenceConfig")
    if not answers:
        return RealTime(*machines)
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
    return Capture(described["DestinationS3Uri"], described["InitialSamplingPercentage"])


def timeouts(variant: Described) -> Timeouts:
    """What SageMaker waits for."""
    return Timeouts(
        variant.get("ContainerStartupHealthCheckTimeoutInSeconds"),
        variant.get("ModelDataDownloadTimeoutInSeconds"),
    )


# -- before something else is made ----------------------------------------------------------------


def check_account(aws: Aws, order: Order) -> None:
    """Raise `Misuse` where the role is of another account than the credentials."""
    account = aws.account()
    if account != order.account:
        raise Misuse(
            f"--role is of the AWS account {order.account}, and your credentials are of {account}. "
            "SageMaker takes roles of its own account only: name one of yours, or choose other "
            "credentials with --profile."
        )


def state(aws: Aws, order: Order) -> str | None:
    """How an endpoint of this name is. Raises `Refused` for one that is to stay as it is."""
    name, found = order.name, aws.look(look_at(order.name))
    if found is None:
        return None
    if not inventory.is_ours(aws, found["EndpointArn"], name):
        raise Refused(
            f"The name {name} is taken: there is an endpoint of that name in {aws.region}, and "
            "deploy.py did not make it. Choose another name.",
            "not ours",
        )
    running, wanted = found["EndpointConfigName"], config_parameters(order)["EndpointConfigName"]
    if running != wanted and found["EndpointStatus"] not in ("Failed", "Deleting"):
        raise Refused(
            f"The endpoint {name} is there already, and runs something else: another archive or "
            f"image, or other options ({running} is not {wanted}). `python deploy.py update "
            f"{name}` changes it while it goes on answering; or remove it with `down` first, or "
            "choose another name.",
            "taken",
        )
    return str(found["EndpointStatus"])
