"""What moto's SageMaker lacks: endpoints that change step by step, and back if an alarm says so."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_account import ACCOUNT, REGION
from faults import Answers, refused

Parameters = Mapping[str, Any]


def narrow(variants: list[dict[str, Any]]) -> None:
    """Let the weights have single precision, as AWS's do."""
    for variant in variants:
        for key in variant:
            if key.endswith("Weight"):
                [variant[key]] = struct.unpack("f", struct.pack("f", variant[key]))


def kinds(config: Any) -> set[tuple[str, str]]:
    """The variants of a configuration, with their kinds of machines."""
    variants = config.production_variants
    return {(each["VariantName"], each.get("InstanceType", "")) for each in variants}


@dataclass
class Rolling:
    """SageMaker's side of `UpdateEndpoint`; `looks` are those that a roll-out lasts."""

    looks: int = 0
    fails: bool = False
    """Whether SageMaker rolls back, whatever the alarms say."""
    status: str = "Baking"
    left: int = 0
    coming: str = ""
    asked: list[Parameters] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    """The verdicts on answers."""
    shadows: dict[str, list[Any]] = field(default_factory=dict)
    """The variants of each configuration that only listen."""

    @property
    def stubs(self) -> dict[str, Answers]:
        """For a `Weather`."""
        return {
            "UpdateEndpoint": self.update,
            "DescribeEndpoint": self.describe,
            "CreateEndpointConfig": self.remember,
            "DescribeEndpointConfig": self.describe_config,
            "PutMetricData": self.hear,
        }

    @property
    def backend(self) -> Any:
        """Moto's."""
        from moto.sagemaker.models import sagemaker_backends

        return sagemaker_backends[ACCOUNT][REGION]

    def update(self, asked: Parameters) -> Any:
        """Begin; not while there is a beginning, nor with what is not there."""
        endpoint = self.backend.endpoints[asked["EndpointName"]]
        if self.coming:
            return refused("ValidationException", "Cannot update in-progress endpoint.")()
        config = self.backend.endpoint_configs[asked["EndpointConfigName"]]
        for variant in config.production_variants:
            assert variant["ModelName"] in self.backend._models
        if self.scaled(endpoint.endpoint_name) - kinds(config):
            return refused("ValidationException", "Deregister the variant as a target first.")()
        self.asked.append(asked)
        self.coming, self.left = asked["EndpointConfigName"], self.looks
        if not self.looks:
            self.end(endpoint)
        return {"EndpointArn": endpoint.arn}

    def scaled(self, name: str) -> set[tuple[str, str]]:
        """The variants that are scaled, with their kinds of machines."""
        from moto.applicationautoscaling.models import applicationautoscaling_backends

        targets = applicationautoscaling_backends[ACCOUNT][REGION].targets
        places = [place for known in targets.values() for place in known]
        running = self.backend.endpoints[name].endpoint_config_name
        return {
            (variant, machine)
            for variant, machine in kinds(self.backend.endpoint_configs[running])
            if f"endpoint/{name}/variant/{variant}" in places
        }

    def describe(self, asked: Parameters) -> Any:
        """How it is, meanwhile; where nothing changes, moto knows."""
        endpoint = self.backend.endpoints.get(asked["EndpointName"])
        if endpoint:
            narrow(endpoint.production_variants)
        if not self.coming:
            return None
        if not self.left:
            self.end(endpoint)
            return None
        self.left -= 1
        at = {"Status": self.status, "StatusMessage": "Baking for 300 seconds"}
        return {
            "EndpointName": endpoint.endpoint_name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.endpoint_config_name,
            "EndpointStatus": "Updating",
            "CreationTime": endpoint.creation_time,
            "LastModifiedTime": endpoint.last_modified_time,
            "ProductionVariants": [
                {**each, "VariantStatus": [at]} for each in endpoint.production_variants
            ],
            "PendingDeploymentSummary": {"EndpointConfigName": self.coming},
        }

    def remember(self, asked: Parameters) -> None:
        """Moto forgets which variants only listen."""
        self.shadows[asked["EndpointConfigName"]] = asked.get("ShadowProductionVariants", [])

    def describe_config(self, asked: Parameters) -> Parameters | None:
        """As moto knows it, with weights as AWS keeps them, and with shadows."""
        config = self.backend.endpoint_configs.get(asked["EndpointConfigName"])
        if config is None:
            return None
        narrow(config.production_variants)
        shadows = self.shadows.get(asked["EndpointConfigName"])
        if not shadows:
            return None
        return {
            "EndpointConfigName": config.endpoint_config_name,
            "EndpointConfigArn": config.endpoint_config_arn,
            "ProductionVariants": config.production_variants,
            "ShadowProductionVariants": shadows,
            "CreationTime": config.creation_time,
        }

    def end(self, endpoint: Any) -> None:
        """The new configuration, or the old one."""
        if self.fails or any(self.told):
            endpoint.failure_reason = "An alarm went off"
        else:
            config = self.backend.endpoint_configs[self.coming]
            endpoint.endpoint_config_name = self.coming
            endpoint.production_variants = endpoint._process_production_variants(
                config.production_variants
            )
        self.coming, self.told = "", []

    def hear(self, asked: Parameters) -> None:
        """What deploy.py itself says of the answers."""
        self.told += [each["Value"] for each in asked["MetricData"]]
