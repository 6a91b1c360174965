"""Everything that there is of a deployment, kind by kind, by its names and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from deployment import names
from deployment.aws.client import Aws
from deployment.aws.s3 import place
from deployment.current import packages, tags, trainings
from deployment.current.jobs import at_work
from deployment.current.tags import is_ours
from deployment.errors import NotAllowed, NotReached, Refused
from deployment.plan import rollout
from deployment.plan.calls import Call, Look
from deployment.plan.components import look_at as look_at_component
from deployment.plan.dashboard import look_at_dashboard
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
    watched = (*scaled(aws, name), guards, dashboards(aws, name), jobs(aws, name))
    made = Existing(name, endpoint, configs, models, *watched)
    made = replace(
        made, components=components(aws, endpoint), versions=packages.versions(aws, name)
    )
    found = trainings.added(aws, made)
    places = (*buckets_of(aws, models, configs), *trainings.buckets_of(aws, found))
    return with_data(aws, found, (*buckets, *places))


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
    """What a look finds; where it can't be made, why is added to `unseen`."""
    try:
        return tuple(look())
    except (NotAllowed, NotReached, Refused) as exc:
        unseen.append(str(exc))
        return ()


def refuse_foreign(
    aws: Aws, endpoint: Described, name: str, *, stacked: bool = False
) -> dict[str, str]:
    """The tags of an endpoint. Raises `Refused` for one of somebody else.

    One of a CloudFormation stack is somebody else's, unless `stacked`.
    """
    found = tags.of(aws, endpoint["EndpointArn"])
    if found.get(names.TAG) != name:
        raise Refused(
            f"There is an endpoint {name} in {aws.region}, but deploy.py did not make it, and "
            "leaves it alone.",
            "not ours",
        )
    if not stacked and (stack := found.get(names.STACK)):
        raise Refused(
            f"The endpoint {name} is of the CloudFormation stack {stack}: change or remove it "
            f"there. `python deploy.py update {name} … --template` writes the stack's next "
            "template.",
            "of a stack",
        )
    return found


def refuse_unstacked(aws: Aws, name: str) -> None:
    """Raise `Refused` for an endpoint that is there without a stack, which would not take it over.

    Where nobody lets one look, it is taken for missing.
    """
    try:
        found = aws.look(look_at(name))
        stacked = found is None or names.STACK in tags.of(aws, found["EndpointArn"])
    except (NotAllowed, NotReached):
        return
    if not stacked:
        raise Refused(
            f"There is an endpoint {name} in {aws.region} already, and CloudFormation makes only "
            f"what is not there. `python deploy.py down {name}` removes it; or choose another name "
            "for the stack's.",
            "taken",
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


FOLDER = "ModelDataSource.S3DataSource.S3Uri"


def buckets_of(aws: Aws, models: tuple[str, ...], configs: tuple[str, ...]) -> Iterator[str]:
    """The buckets in which models have their archives, and async endpoints their requests."""
    for kind, found, described in (
        ("Model", f"PrimaryContainer.[ModelDataUrl, {FOLDER}][?@] | [0]", models),
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
    found = aws.pages(Call(SERVICE, operation, {"ServiceNamespace": "sagemaker"}), key)
    return tuple(each for each in found if names.is_scaled(name, each["ResourceId"]))


def components(aws: Aws, endpoint: Described | None) -> tuple[str, ...]:
    """The inference components of an endpoint; only one whose variants name no model has some."""
    if endpoint is None:
        return ()
    config = {"EndpointConfigName": endpoint["EndpointConfigName"]}
    look = Look(Call("sagemaker", "DescribeEndpointConfig", config), "ProductionVariants")
    variants: list[Described] = aws.look(look) or [{}]
    if all("ModelName" in each for each in variants):
        return ()
    asked = Call(
        "sagemaker",
        "ListInferenceComponents",
        {"EndpointNameEquals": endpoint["EndpointName"]},
    )
    found = aws.pages(asked, "InferenceComponents")
    return tuple(each["InferenceComponentName"] for each in found)


def alarms(aws: Aws, name: str) -> Things:
    """The alarms, with their states."""
    asked = Call("cloudwatch", "DescribeAlarms", {"AlarmNamePrefix": names.alarm(name, "")})
    return tuple(aws.pages(asked, "MetricAlarms"))


def dashboards(aws: Aws, name: str) -> tuple[str, ...]:
    """The dashboard's name, if it is there."""
    called = names.dashboard(name)
    return (called,) if aws.look(look_at_dashboard(called)) else ()


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


def log_streams(aws: Aws, name: str) -> Iterator[tuple[str, str]]:
    """What batch jobs, training jobs and searches have written."""
    for group in (names.JOB_LOGS, names.TRAINING_LOGS):
        asked = {"logGroupName": group, "logStreamNamePrefix": f"{name}-"}
        for each in aws.pages(Call("logs", "DescribeLogStreams", asked), "logStreams"):
            job = each["logStreamName"].partition("/")[0]
            if names.is_timed(name, job) or names.is_search(name, names.search_of(job)):
                yield group, each["logStreamName"]


def leftovers(aws: Aws, name: str) -> Leftovers:
    """What there is, as AWS lists it."""
    configs, models = versions(aws, name)
    there, guards = alarms(aws, name), rollout.alarms(name)
    jobs = tuple(job["ModelName"] for job in at_work(aws, name))
    return Leftovers(
        tuple(each["AlarmName"] for each in there if each["AlarmName"] in guards),
        {config: of_variants(aws, config, "ModelName") for config in configs},
        models,
        (*jobs, *models_of_components(aws, aws.look(look_at(name)))),
    )


def models_of_components(aws: Aws, endpoint: Described | None) -> Iterator[str]:
    """The models of an endpoint's inference components."""
    for component in components(aws, endpoint):
        look = Look(look_at_component(component).call, "Specification.ModelName")
        if model := aws.look(look):
            yield str(model)


def of_variants(aws: Aws, config: str, key: str) -> tuple[str, ...]:
    """A value of each variant of a configuration that may be gone, of its shadow, too."""
    call = Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": config})
    found = f"[ProductionVariants, ShadowProductionVariants][].{key}"
    return tuple(aws.look(Look(call, found)) or ())
