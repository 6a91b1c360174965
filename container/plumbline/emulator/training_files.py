"""The files about a job that SageMaker writes into /opt/ml/input/config."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plumbline.emulator.training_channels import Request, mode_of, source


def documents(
    request: Request, host: str, hosts: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files of input/config, by their names."""
    instance = request.get("ResourceConfig", {}).get("InstanceType", "ml.m5.xlarge")
    group = {
        "instance_group_name": "homogeneousCluster",
        "instance_type": instance,
        "hosts": random.Random(0).sample(list(hosts), len(hosts)),  # noqa: S311 - no secret
    }
    yield "hyperparameters", dict(request.get("HyperParameters", {}))
    yield (
        "inputdataconfig",
        {
            channel["ChannelName"]: entry(request, channel)
            for channel in request.get("InputDataConfig", ())
        },
    )
    yield (
        "resourceconfig",
        {
            "current_host": host,
            "current_instance_type": instance,
            "current_group_name": "homogeneousCluster",
            "hosts": list(hosts),
            "instance_groups": [group],
            "network_interface_name": "eth0",
            "topology": None,
        },
    )
    yield "trainingjobconfig", {name: value for name, value in request.items() if name != "Tags"}
    yield "init-config", {"jobRunInfo": {"jobRunNumber": 1}}
    if "CheckpointConfig" in request:
        local = request["CheckpointConfig"].get("LocalPath", "/opt/ml/checkpoints")
        yield "checkpointconfig", {"LocalPath": local}


def entry(request: Request, channel: Mapping[str, Any]) -> dict[str, str]:
    """What inputdataconfig.json says of a channel."""
    found = {
        "TrainingInputMode": mode_of(request, channel),
        "S3DistributionType": source(channel).get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return {
        **found,
        **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
    }
