"""Everything that there is of a deployment, kind by kind, by its names and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.current.jobs import at_work
from deployment.errors import NotAllowed, Refused
from deployment.plan import batch, rollout
from deployment.plan.calls import Call, Look
from deployment.plan.endpoint import look_at
from deployment.plan.scaling import SERVICE, Things
from deployment.plan.state import Described, Existing, Leftovers


def find(aws: Aws, name: str, buckets: tuple[str, ...] = ()) -> Existing:
    """All that is there of `name`; archives are looked for where its models have theirs, too."""
    endpoint = aws.look(look_at(name))
    if endpoint:
        refuse_foreign(aws, endpoint, name)
    configs, models = versions(aws, name)
    guards = tuple(each["AlarmName"] for each in alarms(aws, name))
    watched = (*scaled(aws, name), guards, jobs(aws, name))
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


def refuse_foreign(aws: Aws, endpoint: Described, name: str) -> None:
    """Raise `Refused` for an endpoint of somebody else."""
    if not is_ours(aws, endpoint["EndpointArn"], name):
        raise Refused(
            f"There is an endpoint {name} in {aws.region}, but deploy.py did not make it, and "
            "leaves it alone.",
            "not ours",
        )


def versions(aws: Aws, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the configurations and of the models."""
    configs = listed(aws, name, "ListEndpointConfigs", "EndpointConfigs", "EndpointConfig")
    return configs, listed(aws, name, "ListModels", "Models", "Model")


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
    for kind, found, described in (
        ("Model", "PrimaryContainer.ModelDataUrl", models),
        ("EndpointConfig", "AsyncInferenceConfig.OutputConfig.S3OutputPath", configs),
    ):
        for name in described:
            call = Call("sagemaker", f"Describe{kind}", {f"{kind}Name": name})
            url = aws.look(Look(call, found)) or ""
            if url.startswith("s3://"):
                yield place(url)[0]


def scaled(aws: Aws, name: str) -> tuple[Things, Things]:
    """What is scaled, and by which policies; also where the endpoint itself is gone."""
    return (
        targets(aws, name),
        scalable(aws, name, "DescribeScalingPolicies", "ScalingPolicies"),
    )


def targets(aws: Aws, name: str) -> Things:
    """What is scaled, with its bounds."""
    return scalable(aws, name, "DescribeScalableTargets", "ScalableTargets")


def scalable(aws: Aws, name: str, operation: str, key: str) -> Things:
    """What Application Auto Scaling has for the variants of a deployment."""
    begins = names.scalable(name, "")
    found = aws.pages(Call(SERVICE, operation, {"ServiceNamespace": "sagemaker"}), key)
    return tuple(each for each in found if each["ResourceId"].startswith(begins))


def alarms(aws: Aws, name: str) -> Things:
    """The alarms, with their states."""
    asked = Call("cloudwatch", "DescribeAlarms", {"AlarmNamePrefix": names.alarm(name, "")})
    return tuple(aws.pages(asked, "MetricAlarms"))


def jobs(aws: Aws, name: str) -> tuple[str, ...]:
    """The batch jobs that are at work."""
    return tuple(
        each["TransformJobName"]
        for each in at_work(aws, name)
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


def leftovers(aws: Aws, name: str) -> Leftovers:
    """What there is, as AWS lists it."""
    configs, models = versions(aws, name)
    there, guards = alarms(aws, name), rollout.alarms(name)
    return Leftovers(
        tuple(each["AlarmName"] for each in there if each["AlarmName"] in guards),
        {config: of_variants(aws, config, "ModelName") for config in configs},
        models,
        tuple(job["ModelName"] for job in at_work(aws, name)),
    )


def of_variants(aws: Aws, config: str, key: str) -> tuple[str, ...]:
    """A value of each variant of a configuration that may be gone, of its shadow, too."""
    call = Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": config})
    found = f"[ProductionVariants, ShadowProductionVariants][].{key}"
    return tuple(aws.look(Look(call, found)) or ())
