"""What there is of a deployment → the plan that removes it, or what nothing rolls back to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from deployment import names
from deployment.plan import batch, components, registration, search, training
from deployment.plan.calls import Call, Plan, Remove, Step, Wait
from deployment.plan.dashboard import dashboard_removal
from deployment.plan.endpoint import STARTING, look_at, state_of
from deployment.plan.scaling import ending_steps
from deployment.plan.state import Existing, Leftovers

RESTING = ("InService", "OutOfService", "Failed", "UpdateRollbackFailed", "missing")
"""States of an endpoint in which SageMaker lets it be removed."""

TOGETHER = 1000
"""Objects that S3 removes by one call."""


def plan_down(found: Existing, region: str, *, data: bool) -> Plan:
    """What is billed goes first; then what is found by others, before these others."""
    stored = data_steps(found) if data else ()
    scaling = ending_steps(found.targets, found.policies, found.alarms)
    jobs = (*map(batch.stop, found.jobs), *training_steps(found))
    shown = map(dashboard_removal, found.dashboards)
    billed = (*jobs, *scaling, *endpoint_steps(found), *shown)
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
            "Archives, requests, data, models and logs stay: billed as storage, until "
            f"`python deploy.py down {found.name} --data`."
        )
    if found.unseen:
        yield "It can't be seen whether data is left, which would be billed as storage."


def endpoint_steps(found: Existing) -> Iterator[Step]:
    """The endpoint, once it stands still."""
    if found.endpoint:
        look = look_at(found.name)
        yield from map(components.removal, found.components)
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
    """What is stored, and then the records of jobs, which say where it is."""
    yield from stored_steps(found)
    yield from registration.removals(found.versions)
    for kind, job in found.records:
        module = search if kind == "search" else training
        yield Remove(f"record of {kind} {job}", module.deletion(job))


def stored_steps(found: Existing) -> Iterator[Step]:
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
    for group, stream in found.log_streams:
        where = {"logGroupName": group, "logStreamName": stream}
        yield Remove(f"log of job {stream}", Call("logs", "DeleteLogStream", where))


def training_steps(found: Existing) -> Iterator[Step]:
    """Training jobs and searches that are at work, and machines that are kept for another job."""
    yield from map(search.stop, found.searches)
    yield from map(training.stop, found.trainings)
    yield from map(training.cool, found.warm)


def plan_ending(found: Existing, region: str) -> Plan:
    """End what goes on writing until it has ended."""
    return Plan(found.name, region, tuple(training_steps(found)))


def in_words(found: Existing) -> Iterator[str]:
    """What is there, a line each."""
    for step in plan_down(found, "", data=True).steps:
        if isinstance(step, Remove):
            yield step.what


# -- after a roll-out -----------------------------------------------------------------------------


def plan_pruning(name: str, region: str, found: Leftovers, kept: Collection[str]) -> Plan:
    """Remove the alarms, and the configurations and models that are not those of `kept`.

    A model may be named there, too.
    """
    models = (model for config in kept for model in found.models_of.get(config, ()))
    needed = {*found.used, *kept, *models}
    steps: list[Step] = []
    if found.alarms:
        call = Call("cloudwatch", "DeleteAlarms", {"AlarmNames": list(found.alarms)})
        steps.append(Remove("alarms of the roll-out", call))
    for config in found.models_of:
        if config not in kept:
            call = Call("sagemaker", "DeleteEndpointConfig", {"EndpointConfigName": config})
            steps.append(Remove(f"configuration {config}, which is no longer needed", call))
    for model in found.models:
        if model not in needed:
            call = Call("sagemaker", "DeleteModel", {"ModelName": model})
            steps.append(Remove(f"model {model}, which is no longer needed", call))
    return Plan(name, region, tuple(steps))
