"""A training job that has stopped → the call that makes one which goes on from its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployment import names
from deployment.plan.calls import Call

RESUMED = (
    *("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig"),
    *("ResourceConfig", "StoppingCondition", "HyperParameters", "EnableNetworkIsolation"),
    *("EnableManagedSpotTraining", "CheckpointConfig", "Environment"),
)
"""What a job takes over from one that it goes on from, its checkpoints above all."""


def resumption(
    name: str,
    before: Mapping[str, Any],
    job: str,
    limits: Mapping[str, int],
    own: Mapping[str, str] = names.NONE,
) -> Call:
    """CreateTrainingJob as it was before, with another name and perhaps longer `limits`."""
    kept = {key: before[key] for key in RESUMED if before.get(key) not in (None, {})}
    stopping = {**before["StoppingCondition"], **limits}
    if before.get("EnableManagedSpotTraining"):
        least = stopping["MaxRuntimeInSeconds"]
        stopping["MaxWaitTimeInSeconds"] = max(least, stopping.get("MaxWaitTimeInSeconds", 0))
    asked = {**kept, "StoppingCondition": stopping}
    tags = [*names.tags(name, own), {"Key": names.REQUEST, "Value": names.fingerprint(asked)}]
    return Call("sagemaker", "CreateTrainingJob", {"TrainingJobName": job, **asked, "Tags": tags})
