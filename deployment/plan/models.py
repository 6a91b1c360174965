"""Archives and models → the calls that upload the ones and make the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from deployment import names
from deployment.plan import observability
from deployment.plan.calls import Call, Look, Make, Step, Upload
from deployment.plan.order import Archive, Component, Order, Variant

# -- the archive --------------------------------------------------------------------------------


class Tagged(Protocol):
    """What has a name, and tags of its own."""

    @property
    def name(self) -> str:
        """That of the deployment."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The user's own."""
        ...


def bucket(order: Order) -> str:
    """The bucket for archives: the one that was named, or the account's own."""
    return order.bucket or names.default_bucket(order.region, order.account)


def data_url(order: Order, archive: Archive) -> str:
    """Where SageMaker finds an archive."""
    if order.multi:
        return models_url(order)
    if archive.url:
        return archive.url
    return f"s3://{bucket(order)}/{names.archive_key(order.name, archive.sha256)}"


def models_url(order: Order) -> str:
    """The folder whose archives a multi-model endpoint serves."""
    return f"s3://{bucket(order)}/{names.models(order.name)}"


def upload_steps(order: Order) -> Iterator[Step]:
    """The bucket, if an archive is to be uploaded, and each archive once."""
    local = {each.archive.sha256: each.archive for each in order.all_variants if each.archive.file}
    if local or order.multi:
        yield make_bucket(bucket(order), order.region, order.account)
    for archive in local.values():
        yield upload(order, archive)


def make_bucket(bucket: str, region: str, account: str) -> Make:
    """The bucket; one that is there must belong to this account."""
    owned = {"Bucket": bucket, "ExpectedBucketOwner": account}
    parameters: dict[str, Any] = {"Bucket": bucket}
    if region != "us-east-1":  # the one region that must not be said
        parameters["CreateBucketConfiguration"] = {"LocationConstraint": region}
    return Make(
        f"bucket {bucket}",
        Call("s3", "CreateBucket", parameters),
        Look(Call("s3", "HeadBucket", owned)),
        expected={"BucketRegion": region},
    )


def upload(order: Order, archive: Archive) -> Upload:
    """One archive, under a key that follows from its content."""
    if archive.file is None:
        raise ValueError(archive)
    key = names.archive_key(order.name, archive.sha256)
    place = {"Bucket": bucket(order), "Key": key, "ExpectedBucketOwner": order.account}
    return Upload(
        f"archive s3://{bucket(order)}/{key}",
        archive.file,
        Call("s3", "PutObject", {**place, "Tagging": tagging(order)}),
        Look(Call("s3", "HeadObject", place)),
    )


def tagging(order: Tagged) -> str:
    """The tags of everything, in the form of S3."""
    return urlencode({tag["Key"]: tag["Value"] for tag in names.tags(order.name, order.tags)})


# -- the models ---------------------------------------------------------------------------------


def model_parameters(order: Order, variant: Variant) -> dict[str, Any]:
    """What CreateModel is told: the image, the archive and how the container runs."""
    parameters: dict[str, Any] = {
        "ExecutionRoleArn": order.role,
        "PrimaryContainer": {
            **container(order, variant.archive),
            "Environment": observability.environment(order, variant),
            **({} if variant.archive.package else observability.of_container(order)),
        },
    }
    if not isinstance(order.kind, Component):  # there the endpoint's configuration says it
        parameters.update(network_parameters(order))
    name = names.versioned(order.name, parameters)
    return {"ModelName": name, **parameters, "Tags": names.tags(order.name, order.tags)}


def container(order: Order, archive: Archive) -> dict[str, Any]:
    """The image, and where the archive is: a file, a folder, a package, or many of them."""
    settings = {"Environment": dict(order.environment)}
    if archive.package:
        return {"ModelPackageName": archive.package, **settings}
    url = data_url(order, archive)
    if order.multi:
        return {"Image": order.image, "Mode": "MultiModel", "ModelDataUrl": url, **settings}
    if url.endswith("/"):
        folder = {"S3Uri": url, "S3DataType": "S3Prefix", "CompressionType": "None"}
        return {"Image": order.image, "ModelDataSource": {"S3DataSource": folder}, **settings}
    return {"Image": order.image, "ModelDataUrl": url, **settings}


def network_parameters(order: Order) -> dict[str, Any]:
    """Where the containers run, and what they reach."""
    made: dict[str, Any] = {"EnableNetworkIsolation": order.network.isolated}
    if order.network.subnets:
        made["VpcConfig"] = {
            "Subnets": list(order.network.subnets),
            "SecurityGroupIds": list(order.network.security_groups),
        }
    return made


def model_steps(order: Order) -> Iterator[Make]:
    """A model for each archive; variants with the same archive share it."""
    models = [model_parameters(order, variant) for variant in order.all_variants]
    for name, parameters in {model["ModelName"]: model for model in models}.items():
        yield Make(
            f"model {name}",
            Call("sagemaker", "CreateModel", parameters),
            Look(Call("sagemaker", "DescribeModel", {"ModelName": name})),
        )
