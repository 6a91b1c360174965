"""What moto lacks of SageMaker: inference components, their scaling, and removing of versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_account import ACCOUNT, REGION
from faults import Answers, refused

Parameters = Mapping[str, Any]

MADE = datetime(2026, 5, 4, tzinfo=UTC)


@dataclass
class Hosting:
    """Inference components by their names, and what scales their copies; all of it in memory."""

    components: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: int = 0
    """How often a component that changes is looked at before it has."""
    goes_back: str = ""
    """Why SageMaker takes back what is changed, if it does."""
    coming: dict[str, Any] = field(default_factory=dict)

    @property
    def stubs(self) -> dict[str, Answers]:
        """For a `Weather`."""
        return {
            "CreateEndpointConfig": self.configure,
            "CreateInferenceComponent": self.create,
            "DescribeInferenceComponent": self.describe,
            "UpdateInferenceComponent": self.update,
            "ListInferenceComponents": self.listed,
            "DeleteInferenceComponent": self.delete,
            "RegisterScalableTarget": self.register,
            "DescribeScalableTargets": lambda _: {"ScalableTargets": [*self.targets.values()]},
            "DeregisterScalableTarget": self.deregister,
            "PutScalingPolicy": self.put_policy,
            "DescribeScalingPolicies": self.described_policies,
            "DeleteScalingPolicy": self.delete_policy,
        }

    def inventory(self) -> dict[str, list[str]]:
        """What is there."""
        kinds = {"components": self.components, "targets": self.targets, "policies": self.policies}
        return {kind: sorted(found) for kind, found in kinds.items() if found}

    def configure(self, asked: Parameters) -> dict[str, Any] | None:
        """A configuration whose variants name no model, which moto refuses."""
        from moto.sagemaker.models import FakeEndpointConfig, sagemaker_backends

        if all("ModelName" in each for each in asked["ProductionVariants"]):
            return None
        name, backend = asked["EndpointConfigName"], sagemaker_backends[ACCOUNT][REGION]
        variants = [dict(each) for each in asked["ProductionVariants"]]
        made = FakeEndpointConfig(ACCOUNT, REGION, name, variants, {}, {}, asked["Tags"], "")
        backend.endpoint_configs[name] = made
        return {"EndpointConfigArn": made.endpoint_config_arn}

    def create(self, asked: Parameters) -> Any:
        """Make one."""
        name = asked["InferenceComponentName"]
        if name in self.components:
            return refused("ValidationException", f"{name} already exists.")()
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:inference-component/{name}"
        self.components[name] = {
            "InferenceComponentName": name,
            "InferenceComponentArn": arn,
            "EndpointName": asked["EndpointName"],
            "EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{asked['EndpointName']}",
            "VariantName": asked["VariantName"],
            "InferenceComponentStatus": "InService",
            "CreationTime": MADE,
            "LastModifiedTime": MADE,
            "Specification": asked["Specification"],
            "RuntimeConfig": copies(asked),
        }
        return {"InferenceComponentArn": arn}

    def update(self, asked: Parameters) -> Any:
        """Begin to change one."""
        found = self.components[asked["InferenceComponentName"]]
        if found["InferenceComponentStatus"] != "InService":
            return refused("ValidationException", "It is being updated.")()
        before = {key: found[key] for key in ("Specification", "RuntimeConfig")}
        self.coming = {"left": self.looks, "before": before}
        changed = {"Specification": asked["Specification"], "RuntimeConfig": copies(asked)}
        found |= {**changed, "InferenceComponentStatus": "Updating"}
        return {"InferenceComponentArn": found["InferenceComponentArn"]}

    def describe(self, asked: Parameters) -> Any:
        """How one is."""
        name = asked["InferenceComponentName"]
        if name not in self.components:
            return refused("ValidationException", f"Could not find inference component {name}.")()
        found = self.components[name]
        if found["InferenceComponentStatus"] == "Updating":
            if self.coming["left"]:
                self.coming["left"] -= 1
                return dict(found)
            found["InferenceComponentStatus"] = "InService"
            if self.goes_back:
                found |= {**self.coming["before"], "FailureReason": self.goes_back}
        return dict(found)

    def listed(self, asked: Parameters) -> dict[str, Any]:
        """Those of an endpoint, in short."""
        short = ("CreationTime", "InferenceComponentArn", "InferenceComponentName", "EndpointArn")
        found = [
            {key: each[key] for key in (*short, "EndpointName", "VariantName", "LastModifiedTime")}
            for each in self.components.values()
            if each["EndpointName"] == asked["EndpointNameEquals"]
        ]
        return {"InferenceComponents": found}

    def delete(self, asked: Parameters) -> Any:
        """Remove one."""
        if self.components.pop(asked["InferenceComponentName"], None) is None:
            return refused("ValidationException", "Could not find the inference component.")()
        return {}

    def register(self, asked: Parameters) -> dict[str, Any]:
        """Bounds for the number of copies."""
        kept = {key: value for key, value in asked.items() if key != "Tags"}
        self.targets[asked["ResourceId"]] = {**kept, "RoleARN": "arn", "CreationTime": MADE}
        return {}

    def deregister(self, asked: Parameters) -> Any:
        """No bounds any more."""
        if self.targets.pop(asked["ResourceId"], None) is None:
            return refused("ObjectNotFoundException", "No scalable target found.")()
        return {}

    def put_policy(self, asked: Parameters) -> dict[str, Any]:
        """How copies follow the load."""
        arn = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:1:{asked['PolicyName']}"
        self.policies[asked["PolicyName"]] = {**asked, "PolicyARN": arn, "CreationTime": MADE}
        return {"PolicyARN": arn}

    def described_policies(self, asked: Parameters) -> dict[str, Any]:
        """The policies that are asked for, or all."""
        wanted = asked.get("PolicyNames") or list(self.policies)
        return {
            "ScalingPolicies": [self.policies[each] for each in wanted if each in self.policies]
        }

    def delete_policy(self, asked: Parameters) -> Any:
        """One less."""
        if self.policies.pop(asked["PolicyName"], None) is None:
            return refused("ObjectNotFoundException", "No scaling policy found.")()
        return {}


def copies(asked: Parameters) -> dict[str, int]:
    """As they are described."""
    count = asked["RuntimeConfig"]["CopyCount"]
    return {"DesiredCopyCount": count, "CurrentCopyCount": count}


def without_version(_asked: Parameters) -> dict[str, Any]:
    """What removing a version answers; moto has no such call."""
    return {}
