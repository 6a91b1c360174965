"""Batch transform: everything under a prefix in S3, answered once, by machines that then go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deployment import names
from deployment.errors import Misuse
from deployment.plan.calls import Call, Look, Make, Plan, Remove, Wait
from deployment.plan.limits import INSTANCE, URL
from deployment.plan.models import model_parameters, model_steps, upload_steps
from deployment.plan.order import Order
from deployment.plan.requests import ANY_PICTURE

MOST_MB = 100
"""What SageMaker takes of payload times requests at a time."""

LINES = "application/jsonlines"

AT_WORK = ("InProgress", "Stopping")


@dataclass(frozen=True)
class Job:
    """What is transformed, on what, and how; `lines`: files of JSON lines, not of one picture."""

    source: str
    target: str
    instance: str = "ml.c5.xlarge"
    count: int = 1
    concurrency: int = 16
    payload: int = 6
    accept: str = ""
    lines: bool = False
    kms_key: str = ""
    """For the instances' disks."""
    data_key: str = ""
    """For the answers."""


def check(job: Job) -> Job:
    """The job. Raises `Misuse` with the first thing that AWS would not take."""
    for problem in problems(job):
        raise Misuse(problem)
    return job


def problems(job: Job) -> Iterator[str]:
    """All that is wrong with a job, a sentence each."""
    for url, what in ((job.source, "pictures"), (job.target, "answers")):
        if not URL.fullmatch(url):
            yield f"{url}: it must be where the {what} are, like s3://my-bucket/{what}/."
    if f"{job.target.rstrip('/')}/".startswith(f"{job.source.rstrip('/')}/"):
        yield (
            f"The answers would lie among the pictures, in {job.source}, and be taken for pictures "
            "by the next job: name another place for them."
        )
    if not INSTANCE.fullmatch(job.instance):
        yield f"--instance {job.instance}: it must be like ml.c5.xlarge."
    if job.payload * job.concurrency > MOST_MB:
        yield (
            f"--payload-mb {job.payload} times --concurrency {job.concurrency} is "
            f"{job.payload * job.concurrency} MB, and SageMaker takes {MOST_MB} at most: "
            f"--concurrency {MOST_MB // job.payload}, say."
        )


# -- the plan -------------------------------------------------------------------------------------


def plan_job(order: Order, job: Job, name: str) -> Plan:
    """Upload and model, unless they are there; the job, and waiting for its end."""
    model = model_parameters(order, order.variants[0])["ModelName"]
    steps = (
        *upload_steps(order),
        *model_steps(order),
        Make(f"job {name}", creation(order, job, name, model), look_at(name)),
        wait_for(name),
    )
    return Plan(order.name, order.region, steps, tuple(costs(job)))


def creation(order: Order, job: Job, name: str, model: str) -> Call:
    """What CreateTransformJob is told."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": job.source}}
    target = {"S3OutputPath": job.target}
    machines: dict[str, Any] = {"InstanceType": job.instance, "InstanceCount": job.count}
    if job.accept:
        target["Accept"] = job.accept
    if job.data_key:
        target["KmsKeyId"] = job.data_key
    if job.kms_key:
        machines["VolumeKmsKeyId"] = job.kms_key
    parameters = {
        "TransformJobName": name,
        "ModelName": model,
        "MaxConcurrentTransforms": job.concurrency,
        "MaxPayloadInMB": job.payload,
        "BatchStrategy": "MultiRecord" if job.lines else "SingleRecord",
        "TransformInput": {
            "DataSource": source,
            "ContentType": LINES if job.lines else ANY_PICTURE,
            "SplitType": "Line" if job.lines else "None",
        },
        "TransformOutput": target,
        "TransformResources": machines,
        "Tags": names.tags(order.name, order.tags),
    }
    return Call("sagemaker", "CreateTransformJob", parameters)


def look_at(name: str) -> Look:
    """The job as SageMaker describes it."""
    return Look(Call("sagemaker", "DescribeTransformJob", {"TransformJobName": name}))


def wait_for(name: str) -> Wait:
    """Until the job has ended, however it did: what it could not answer is looked for then."""
    ended = ("Completed", "Failed", "Stopped")
    return Wait(f"job {name}", look_at(name), "TransformJobStatus", ended, ())


def stop(name: str) -> Remove:
    """End a job that is at work; its machines go, and what was answered stays."""
    at_work = " || ".join(f"@=='{each}'" for each in AT_WORK)
    gone = Look(look_at(name).call, f"[TransformJobStatus][?{at_work}] | [0]")
    call = Call("sagemaker", "StopTransformJob", {"TransformJobName": name})
    return Remove(f"job {name}, which is at work", call, gone=gone)


def plan_stop(name: str, region: str, jobs: list[str]) -> Plan:
    """End these jobs."""
    cost = (
        "The instances of the job go, and their bill ends; what was answered stays, billed as "
        f"storage. An endpoint {name} is billed as before."
    )
    return Plan(name, region, tuple(stop(job) for job in jobs), (cost,))


def costs(job: Job) -> Iterator[str]:
    """What the job costs, in words."""
    yield (
        f"{job.count} × {job.instance}: billed by the second while the job runs, then gone by "
        "themselves. Prices: https://aws.amazon.com/sagemaker/pricing"
    )
    yield f"The answers in {job.target}: billed as storage, until you delete them."
