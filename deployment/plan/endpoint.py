"""Order → the calls that `up` makes, as data. Nothing here asks AWS, reads a file or a clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from deployment import names
from deployment.plan.calls import Call, Look, Make, Plan, Remove, Step, Upload, Wait
from deployment.plan.cost import costs
from deployment.plan.order import Archive, Async, Order, Serverless, Variant, as_kept
from deployment.plan.scaling import scaling_steps

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
        make_endpoint(order, config["EndpointConfigName"]),
        wait_for(order.name),
        *scaling_steps(order),
    )
    return Plan(order.name, order.region, steps, tuple(costs(order)))


# -- the archive --------------------------------------------------------------------------------


def bucket(order: Order) -> str:
    """The bucket for archives: the one that was named, or the account's own."""
    return order.bucket or names.default_bucket(order.region, order.account)


def data_url(order: Order, archive: Archive) -> str:
    """Where SageMaker finds an archive."""
    if archive.url:
        return archive.url
    return f"s3://{bucket(order)}/{names.archive_key(order.name, archive.sha256)}"


def upload_steps(order: Order) -> Iterator[Step]:
    """The bucket, if an archive is to be uploaded, and each archive once."""
    local = {each.archive.sha256: each.archive for each in order.all_variants if each.archive.file}
    if local:
        yield make_bucket(order)
    for archive in local.values():
        yield upload(order, archive)


def make_bucket(order: Order) -> Make:
    """The bucket; one that is there must belong to this account."""
    owned = {"Bucket": bucket(order), "ExpectedBucketOwner": order.account}
    parameters: dict[str, Any] = {"Bucket": bucket(order)}
    if order.region != "us-east-1":  # the one region that must not be said
        parameters["CreateBucketConfiguration"] = {"LocationConstraint": order.region}
    return Make(
        f"bucket {bucket(order)}",
        Call("s3", "CreateBucket", parameters),
        Look(Call("s3", "HeadBucket", owned)),
        expected={"BucketRegion": order.region},
    )


def upload(order: Order, archive: Archive) -> Upload:
    """One archive, under a key that follows from its content."""
    if archive.file is None:
        raise ValueError(archive)
    key = names.archive_key(order.name, archive.sha256)
    place = {"Bucket": bucket(order), "Key": key, "ExpectedBucketOwner": order.account}
    tagging = urlencode({tag["Key"]: tag["Value"] for tag in names.tags(order.name)})
    return Upload(
        f"archive s3://{bucket(order)}/{key}",
        archive.file,
        Call("s3", "PutObject", {**place, "Tagging": tagging}),
        Look(Call("s3", "HeadObject", place)),
    )


# -- the models ---------------------------------------------------------------------------------


def model_parameters(order: Order, variant: Variant) -> dict[str, Any]:
    """What CreateModel is told: the image, the archive and how the container runs."""
    container = {
        "Image": order.image,
        "ModelDataUrl": data_url(order, variant.archive),
        "Environment": dict(order.environment),
    }
    parameters: dict[str, Any] = {
        "ExecutionRoleArn": order.role,
        "PrimaryContainer": container,
        "EnableNetworkIsolation": order.network.isolated,
    }
    if order.network.subnets:
        parameters["VpcConfig"] = {
            "Subnets": list(order.network.subnets),
            "SecurityGroupIds": list(order.network.security_groups),
        }
    name = names.versioned(order.name, parameters)
    return {"ModelName": name, **parameters, "Tags": names.tags(order.name)}


def model_steps(order: Order) -> Iterator[Make]:
    """A model for each archive; variants with the same archive share it."""
    models = [model_parameters(order, variant) for variant in order.all_variants]
    for name, parameters in {model["ModelName"]: model for model in models}.items():
        yield Make(
            f"model {name}",
            Call("sagemaker", "CreateModel", parameters),
            Look(Call("sagemaker", "DescribeModel", {"ModelName": name})),
        )


# -- the configuration --------------------------------------------------------------------------


def config_parameters(order: Order) -> dict[str, Any]:
    """What CreateEndpointConfig is told: which models run on what, and what is kept."""
    parameters: dict[str, Any] = {
        "ProductionVariants": [variant_parameters(order, each) for each in order.variants]
    }
    if order.shadow:
        parameters["ShadowProductionVariants"] = [variant_parameters(order, order.shadow)]
    if order.kms_key:
        parameters["KmsKeyId"] = order.kms_key
    if isinstance(order.kind, Async):
        parameters["AsyncInferenceConfig"] = async_parameters(order.kind)
    if order.capture:
        parameters["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": order.capture.percent,
            "DestinationS3Uri": order.capture.url,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
    name = names.versioned(order.name, parameters)
    return {"EndpointConfigName": name, **parameters, "Tags": names.tags(order.name)}


def variant_parameters(order: Order, variant: Variant) -> dict[str, Any]:
    """One variant: its model, its share of the requests and what it runs on."""
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
        "InstanceType": order.kind.instance,
        "InitialInstanceCount": order.kind.count,
        **{key: value for key, value in limits.items() if value is not None},
    }


def serverless_parameters(kind: Serverless) -> dict[str, int]:
    """Memory, and how many requests are answered at a time."""
    parameters = {"MemorySizeInMB": kind.memory, "MaxConcurrency": kind.concurrency}
    if kind.provisioned:
        parameters["ProvisionedConcurrency"] = kind.provisioned
    return parameters


def async_parameters(kind: Async) -> dict[str, Any]:
    """Where answers go, and who is told."""
    topics = {"SuccessTopic": kind.success_topic, "ErrorTopic": kind.error_topic}
    output: dict[str, Any] = {"S3OutputPath": kind.output}
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
        "Tags": names.tags(order.name),
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
