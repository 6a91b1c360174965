"""What is trained, on what, and how long → the calls that make a training job, as data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment import names
from deployment.plan.calls import Call, Look, Make, Plan, Remove, Step, UploadFolder
from deployment.plan.models import make_bucket, tagging

AT_WORK = ("InProgress", "Stopping")

CHECKPOINTS = "/opt/ml/checkpoints"
"""Where the container finds what a job before it has kept."""

GIGABYTE = 1024**3

LEAST_DISK = 30
"""Gigabytes of disk that the machine has beside the data: image, checkpoints, decoded pictures."""


@dataclass(frozen=True)
class Folder:
    """Files of this machine, by the paths that they have in the channel."""

    files: Mapping[str, Path]
    digest: str
    """Hexadecimal digits that follow from all paths and all content."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Channel:
    """What the container finds in /opt/ml/input/data/NAME: files of this machine, or of S3.

    What is `streamed` is read from S3 as it is needed (FastFile mode); the rest is copied first.
    """

    name: str
    folder: Folder | None = None
    url: str = ""
    size: int = 0
    """Bytes; of a folder, too."""
    streamed: bool = False


@dataclass(frozen=True)
class Limits:
    """Seconds that a job may run, wait for a Spot machine, and keep its machine afterwards.

    No `wait` means no Spot machine; no `warm` that the machine goes with the job.
    """

    run: int = 2 * 3600
    wait: int = 0
    warm: int = 0


@dataclass(frozen=True)
class Training:
    """All of what `train` was asked for."""

    name: str
    region: str
    role: str
    image: str
    channels: tuple[Channel, ...]
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    """MetricDefinitions: the names, and the expressions that find the values in the log."""
    instance: str = "ml.c7i.4xlarge"
    limits: Limits = field(default_factory=Limits)
    bucket: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    isolated: bool = True
    checkpoints: bool = False
    kms_key: str = ""
    """For the instance's disk."""
    data_key: str = ""
    """For what the job writes."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of one's own."""

    @property
    def account(self) -> str:
        """The AWS account, as the role names it."""
        return self.role.split(":")[4]

    @property
    def home(self) -> str:
        """Where in S3 everything of the name lies, with a slash at its end."""
        return f"s3://{bucket(self)}/{names.prefix(self.name)}"

    @property
    def disk(self) -> int:
        """Gigabytes: the data twice, as pictures may be kept decoded, and the rest."""
        copied = sum(each.size for each in self.channels if not each.streamed)
        return LEAST_DISK + 2 * math.ceil(copied / GIGABYTE)


def bucket(training: Training) -> str:
    """The bucket for data and models: the one that was named, or the account's own."""
    return training.bucket or names.default_bucket(training.region, training.account)


def model_url(training: Training, job: str) -> str:
    """Where SageMaker will put the model of a job."""
    return f"{training.home}jobs/{job}/output/model.tar.gz"


# -- the plan -------------------------------------------------------------------------------------


def plan_training(training: Training, job: str) -> Plan:
    """The bucket and the data, unless they are there, and the job."""
    steps = (*data_steps(training), make_job(creation(training, job)))
    return Plan(training.name, training.region, steps, tuple(costs(training)))


def data_steps(training: Training) -> Iterator[Step]:
    """The bucket, which also takes what the job writes, and what lies on this machine."""
    yield make_bucket(bucket(training), training.region, training.account)
    seen = set()
    for channel in training.channels:
        if channel.folder and channel.folder.digest not in seen:
            seen.add(channel.folder.digest)
            yield upload(training, channel, channel.folder)


def data_key(training: Training, folder: Folder) -> str:
    """Where the files of a folder lie; other content lies elsewhere."""
    return f"{names.prefix(training.name)}data/{folder.digest[:16]}/"


def upload(training: Training, channel: Channel, folder: Folder) -> UploadFolder:
    """The files of a channel."""
    prefix = data_key(training, folder)
    owned = {"Bucket": bucket(training), "ExpectedBucketOwner": training.account}
    return UploadFolder(
        f"data s3://{bucket(training)}/{prefix} (the channel {channel.name})",
        {f"{prefix}{path}": file for path, file in folder.files.items()},
        Call("s3", "PutObject", {**owned, "Tagging": tagging(training)}),
        Look(Call("s3", "ListObjectsV2", {**owned, "Prefix": prefix})),
    )


def make_job(call: Call) -> Make:
    """The job; one of its name that is there must learn the same in the same way."""
    job = call.parameters["TrainingJobName"]
    same = ("OutputDataConfig", "HyperParameters", "InputDataConfig")
    expected = {key: call.parameters[key] for key in same if key in call.parameters}
    return Make(f"training job {job}", call, look_at(job), expected, doing="Starting")


def creation(training: Training, job: str) -> Call:
    """What CreateTrainingJob is told."""
    parameters = {
        "TrainingJobName": job,
        "HyperParameters": dict(training.hyperparameters),
        **definition(training, job),
        "Tags": [
            *names.tags(training.name, training.tags),
            {"Key": names.REQUEST, "Value": request(training)},
        ],
    }
    return Call("sagemaker", "CreateTrainingJob", parameters)


def request(training: Training) -> str:
    """What the same request always gives, and others don't."""
    asked = {**definition(training, ""), "HyperParameters": dict(training.hyperparameters)}
    return names.fingerprint(asked)


def definition(training: Training, job: str) -> dict[str, Any]:
    """What a job and the trials of a search are told alike; `job` has its own checkpoints."""
    limits = training.limits
    stopping = {"MaxRuntimeInSeconds": limits.run, "MaxWaitTimeInSeconds": limits.wait}
    machine: dict[str, Any] = {
        "InstanceType": training.instance,
        "InstanceCount": 1,
        "VolumeSizeInGB": training.disk,
    }
    if limits.warm:
        machine["KeepAlivePeriodInSeconds"] = limits.warm
    if training.kms_key:
        machine["VolumeKmsKeyId"] = training.kms_key
    written = {"S3OutputPath": f"{training.home}jobs/"}
    if training.data_key:
        written["KmsKeyId"] = training.data_key
    parameters: dict[str, Any] = {
        "AlgorithmSpecification": algorithm(training),
        "RoleArn": training.role,
        "InputDataConfig": [source(training, each) for each in training.channels],
        "OutputDataConfig": written,
        "ResourceConfig": machine,
        "StoppingCondition": {key: seconds for key, seconds in stopping.items() if seconds},
        "EnableNetworkIsolation": training.isolated,
        "EnableManagedSpotTraining": bool(limits.wait),
    }
    if training.environment:
        parameters["Environment"] = dict(training.environment)
    if training.checkpoints:
        place = f"{training.home}checkpoints/{job}"
        parameters["CheckpointConfig"] = {"S3Uri": place, "LocalPath": CHECKPOINTS}
    return parameters


def algorithm(training: Training) -> dict[str, Any]:
    """The image, and how its log is read."""
    found = [{"Name": name, "Regex": regex} for name, regex in training.metrics.items()]
    image = {"TrainingImage": training.image, "TrainingInputMode": "File"}
    return {**image, "MetricDefinitions": found} if found else image


def source(training: Training, channel: Channel) -> dict[str, Any]:
    """One channel."""
    url = channel.url
    if channel.folder:
        url = f"s3://{bucket(training)}/{data_key(training, channel.folder)}"
    place = {"S3DataType": "S3Prefix", "S3Uri": url, "S3DataDistributionType": "FullyReplicated"}
    return {
        "ChannelName": channel.name,
        "DataSource": {"S3DataSource": place},
        "InputMode": "FastFile" if channel.streamed else "File",
    }


# -- a job that is there --------------------------------------------------------------------------


def look_at(job: str) -> Look:
    """The job as SageMaker describes it."""
    return Look(Call("sagemaker", "DescribeTrainingJob", {"TrainingJobName": job}))


def stop(job: str) -> Remove:
    """End a job that is at work; its container has two minutes to leave what it has."""
    at_work = " || ".join(f"@=='{each}'" for each in AT_WORK)
    gone = Look(look_at(job).call, f"[TrainingJobStatus][?{at_work}] | [0]")
    call = Call("sagemaker", "StopTrainingJob", {"TrainingJobName": job})
    return Remove(f"training job {job}, which is at work", call, gone=gone)


def plan_stop(name: str, region: str, job: str) -> Plan:
    """End this job."""
    cost = (
        "The instance of the job goes, and its bill ends; what it has written stays, billed as "
        f"storage, until `python deploy.py down {name} --data`."
    )
    return Plan(name, region, (stop(job),), (cost,))


def cool(job: str) -> Remove:
    """Let go of the machine that a job has left for another one."""
    asked = {"TrainingJobName": job, "ResourceConfig": {"KeepAlivePeriodInSeconds": 0}}
    gone = Look(look_at(job).call, "[WarmPoolStatus.Status][?@=='Available'] | [0]")
    call = Call("sagemaker", "UpdateTrainingJob", asked)
    return Remove(f"instance that training job {job} keeps warm", call, gone=gone)


def deletion(job: str) -> Call:
    """What makes SageMaker forget a job that has ended."""
    return Call("sagemaker", "DeleteTrainingJob", {"TrainingJobName": job})


# -- what it costs --------------------------------------------------------------------------------


def costs(training: Training) -> Iterator[str]:
    """What the job costs at most, in words."""
    yield from ceiling(training.instance, training.limits.run, 1)
    if training.limits.wait:
        yield "A Spot instance costs less than that; waiting for one costs nothing."
    if training.limits.warm:
        minutes = math.ceil(training.limits.warm / 60)
        yield (
            f"The instance is then kept for the next job, and billed, for up to {minutes} min; "
            f"`python deploy.py down {training.name}` ends that."
        )
    yield (
        f"Data, checkpoints and models in {training.home}: billed as storage, until "
        f"`python deploy.py down {training.name} --data`."
    )


def ceiling(instance: str, seconds: int, jobs: int) -> Iterator[str]:
    """The most that machines are billed: their price is AWS's to say."""
    hours = seconds / 3600
    each = f"{jobs} jobs × {hours:g} h" if jobs > 1 else f"{hours:g} h"
    yield (
        f"At most {each} × {instance} = {jobs * hours:g} instance hours, billed by the second "
        "while a job runs. Prices: https://aws.amazon.com/sagemaker/pricing"
    )
