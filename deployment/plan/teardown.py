"""What there is of a deployment → the plan that removes it, and what stays, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.errors import NotAllowed, Refused
from deployment.plan import batch, unscaling
from deployment.plan.calls import Call, Look, Plan, Remove, Step, Wait
from deployment.plan.endpoint import STARTING, look_at, state_of

RESTING = ("InService", "OutOfService", "Failed", "UpdateRollbackFailed", "missing")
"""States of an endpoint in which SageMaker lets it be removed."""

TOGETHER = 1000
"""Objects that S3 removes by one call."""

Described = Mapping[str, Any]


@dataclass(frozen=True)
class Existing:
    """All that is there of a deployment, as AWS describes it."""

    name: str
    endpoint: Described | None = None
    configs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    targets: tuple[Described, ...] = ()
    policies: tuple[Described, ...] = ()
    alarms: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    """Batch jobs that are at work; ended ones cost nothing, and AWS removes them never."""
    objects: tuple[tuple[str, str], ...] = ()
    """Bucket and key."""
    uploads: tuple[tuple[str, str, str], ...] = ()
    """Bucket, key and identifier of an upload that broke off."""
    log_groups: tuple[str, ...] = ()
    log_streams: tuple[str, ...] = ()
    """What batch jobs have written, in a group that others share."""
    buckets: tuple[str, ...] = ()
    """Those that were looked into."""
    unseen: tuple[str, ...] = ()
    """Why some data can't be seen, and so not removed."""

    @property
    def running(self) -> bool:
        """Whether there is anything but data."""
        return bool(
            self.endpoint
            or self.configs
            or self.models
            or self.targets
            or self.policies
            or self.alarms
            or self.jobs
        )

    @property
    def data(self) -> bool:
        """Whether there are archives, requests or logs."""
        return bool(self.objects or self.uploads or self.log_groups or self.log_streams)


# -- looking ------------------------------------------------------------------------------------


def find(aws: Aws, name: str, buckets: tuple[str, ...] = ()) -> Existing:
    """All that is there of `name`; archives are looked for where its models have theirs, too."""
    endpoint = aws.look(look_at(name))
    if endpoint and not is_ours(aws, endpoint["EndpointArn"], name):
        raise Refused(
            f"There is an endpoint {name} in {aws.region}, but deploy.py did not make it, and "
            "leaves it alone.",
            "not ours",
        )
    configs = listed(aws, name, "ListEndpointConfigs", "EndpointConfigs", "EndpointConfig")
    models = listed(aws, name, "ListModels", "Models", "Model")
    watched = (*unscaling.scaled(aws, name), alarms(aws, name), jobs(aws, name))
    found = Existing(name, endpoint, configs, models, *watched)
    return with_data(aws, found, (*buckets, *buckets_of(aws, models, configs)))


def with_data(aws: Aws, found: Existing, buckets: tuple[str, ...]) -> Existing:
    """The same with what lies in S3 and in the log; what can't be seen must not keep a bill."""
    places, unseen = tuple(dict.fromkeys(buckets)), list[str]()

    def inside(look: Callable[[Aws, str, str], Iterator[Any]]) -> tuple[Any, ...]:
        looks = (partial(look, aws, bucket, found.name) for bucket in places)
        return tuple(each for one in looks for each in seen(one, unseen))

    return replace(
        found,
        objects=inside(objects),
        uploads=inside(uploads),
        log_groups=seen(partial(log_groups, aws, found.name), unseen),
        log_streams=seen(partial(log_streams, aws, found.name), unseen),
        buckets=places,
        unseen=tuple(unseen),
    )


def seen(look: Callable[[], Iterator[Any]], unseen: list[str]) -> tuple[Any, ...]:
    """What a look finds; where it is not allowed, why is added to `unseen`."""
    try:
        return tuple(look())
    except (NotAllowed, Refused) as exc:
        unseen.append(str(exc))
        return ()


def is_ours(aws: Aws, arn: str, name: str) -> bool:
    """Whether a thing of SageMaker's carries the tag of this deployment."""
    tags = aws.pages(Call("sagemaker", "ListTags", {"ResourceArn": arn}), "Tags")
    return any(tag["Key"] == names.TAG and tag["Value"] == name for tag in tags)


def listed(aws: Aws, name: str, operation: str, key: str, noun: str) -> tuple[str, ...]:
    """The names of the models, or of the configurations, of a deployment."""
    found = aws.pages(Call("sagemaker", operation, {"NameContains": name}), key)
    return tuple(
        each[f"{noun}Name"]
        for each in found
        if names.is_of(name, each[f"{noun}Name"]) and is_ours(aws, each[f"{noun}Arn"], name)
    )


def buckets_of(aws: Aws, models: tuple[str, ...], configs: tuple[str, ...]) -> Iterator[str]:
    """The buckets in which models have their archives, and async endpoints their requests."""
    for kind, place, described in (
        ("Model", "PrimaryContainer.ModelDataUrl", models),
        ("EndpointConfig", "AsyncInferenceConfig.OutputConfig.S3OutputPath", configs),
    ):
        for name in described:
            call = Call("sagemaker", f"Describe{kind}", {f"{kind}Name": name})
            url = aws.look(Look(call, place)) or ""
            if url.startswith("s3://"):
                yield url.removeprefix("s3://").partition("/")[0]


def alarms(aws: Aws, name: str) -> tuple[str, ...]:
    """The names of the alarms."""
    asked = Call("cloudwatch", "DescribeAlarms", {"AlarmNamePrefix": names.alarm(name, "")})
    return tuple(each["AlarmName"] for each in aws.pages(asked, "MetricAlarms"))


def jobs(aws: Aws, name: str) -> tuple[str, ...]:
    """The batch jobs that are at work."""
    return tuple(
        each["TransformJobName"]
        for each in batch.running(aws, name)
        if is_ours(aws, each["TransformJobArn"], name)
    )


def objects(aws: Aws, bucket: str, name: str) -> Iterator[tuple[str, str]]:
    """What lies in S3 under the deployment's prefix."""
    asked = Call("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": names.prefix(name)})
    for each in aws.pages(asked, "Contents"):
        yield bucket, each["Key"]


def uploads(aws: Aws, bucket: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Uploads that broke off: their parts are billed and shown by no listing of objects."""
    asked = Call("s3", "ListMultipartUploads", {"Bucket": bucket, "Prefix": names.prefix(name)})
    for each in aws.pages(asked, "Uploads"):
        yield bucket, each["Key"], each["UploadId"]


def log_groups(aws: Aws, name: str) -> Iterator[str]:
    """The endpoint's logs, which SageMaker leaves when an endpoint goes."""
    group = names.log_group(name)
    asked = Call("logs", "DescribeLogGroups", {"logGroupNamePrefix": group})
    for each in aws.pages(asked, "logGroups"):
        if each["logGroupName"] == group:
            yield group


def log_streams(aws: Aws, name: str) -> Iterator[str]:
    """What the batch jobs have written."""
    asked = {"logGroupName": names.JOB_LOGS, "logStreamNamePrefix": f"{name}-"}
    for each in aws.pages(Call("logs", "DescribeLogStreams", asked), "logStreams"):
        if batch.is_of(name, each["logStreamName"].partition("/")[0]):
            yield each["logStreamName"]


# -- removing -----------------------------------------------------------------------------------


def plan_down(found: Existing, region: str, *, data: bool) -> Plan:
    """What is billed goes first; then what is found by others, before these others."""
    stored = data_steps(found) if data else ()
    scaling = unscaling.steps(found.targets, found.policies, found.alarms)
    billed = (*map(batch.stop, found.jobs), *scaling, *endpoint_steps(found))
    steps = (*billed, *stored, *described_steps(found))
    return Plan(found.name, region, steps, tuple(costs(found, region, data=data)))


def costs(found: Existing, region: str, *, data: bool) -> Iterator[str]:
    """What is billed afterwards, in words."""
    if found.running:
        yield f"Afterwards nothing of {found.name} is billed in {region} but what is stored."
    else:
        yield f"There is nothing of {found.name} in {region} that is billed by the time it runs."
    if found.data and not data:
        yield (
            "Archives, requests and logs stay: billed as storage, until "
            f"`down {found.name} --data`."
        )
    if found.unseen:
        yield "It can't be seen whether data is left, which would be billed as storage."


def endpoint_steps(found: Existing) -> Iterator[Step]:
    """The endpoint, once it stands still."""
    if found.endpoint:
        look = look_at(found.name)
        if found.endpoint["EndpointStatus"] in STARTING:
            yield Wait(f"endpoint {found.name}", look, "EndpointStatus", RESTING, ())
        call = Call("sagemaker", "DeleteEndpoint", {"EndpointName": found.name})
        yield Remove(f"endpoint {found.name}", call, gone=state_of(found.name))


def described_steps(found: Existing) -> Iterator[Step]:
    """The configurations and the models, which cost nothing and say where data lies."""
    for config in found.configs:
        call = Call("sagemaker", "DeleteEndpointConfig", {"EndpointConfigName": config})
        yield Remove(f"configuration {config}", call)
    for model in found.models:
        yield Remove(f"model {model}", Call("sagemaker", "DeleteModel", {"ModelName": model}))


def data_steps(found: Existing) -> Iterator[Step]:
    """Uploads that broke off, objects, logs."""
    for bucket, key, upload in found.uploads:
        where = {"Bucket": bucket, "Key": key, "UploadId": upload}
        yield Remove(f"upload s3://{bucket}/{key}", Call("s3", "AbortMultipartUpload", where))
    for bucket in dict.fromkeys(bucket for bucket, _ in found.objects):
        keys = [key for place, key in found.objects if place == bucket]
        for start in range(0, len(keys), TOGETHER):
            chunk = [{"Key": key} for key in keys[start : start + TOGETHER]]
            parameters = {"Bucket": bucket, "Delete": {"Objects": chunk, "Quiet": True}}
            count = "1 object" if len(chunk) == 1 else f"{len(chunk)} objects"
            what = f"{count} in s3://{bucket}/{names.prefix(found.name)}"
            yield Remove(what, Call("s3", "DeleteObjects", parameters))
    for group in found.log_groups:
        call = Call("logs", "DeleteLogGroup", {"logGroupName": group})
        yield Remove(f"log group {group}", call)
    for stream in found.log_streams:
        where = {"logGroupName": names.JOB_LOGS, "logStreamName": stream}
        yield Remove(f"log of job {stream}", Call("logs", "DeleteLogStream", where))


def in_words(found: Existing) -> Iterator[str]:
    """What is there, a line each."""
    for step in plan_down(found, "", data=True).steps:
        if isinstance(step, Remove):
            yield step.what
