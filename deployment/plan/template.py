"""A plan → the same as an AWS CloudFormation template: what is made, and what depends on what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployment.plan.calls import Answer, Make, Plan, Upload, UploadFolder

Document = dict[str, Any]

VERSION = "2010-09-09"

TYPES: Mapping[str, str] = {
    "CreateModel": "AWS::SageMaker::Model",
    "CreateEndpointConfig": "AWS::SageMaker::EndpointConfig",
    "CreateEndpoint": "AWS::SageMaker::Endpoint",
    "CreateInferenceComponent": "AWS::SageMaker::InferenceComponent",
    "CreateModelPackageGroup": "AWS::SageMaker::ModelPackageGroup",
    "CreateModelPackage": "AWS::SageMaker::ModelPackage",
    "RegisterScalableTarget": "AWS::ApplicationAutoScaling::ScalableTarget",
    "PutScalingPolicy": "AWS::ApplicationAutoScaling::ScalingPolicy",
    "PutMetricAlarm": "AWS::CloudWatch::Alarm",
    "PutDashboard": "AWS::CloudWatch::Dashboard",
    "CreateLogGroup": "AWS::Logs::LogGroup",
    "CreateRole": "AWS::IAM::Role",
    "CreatePolicy": "AWS::IAM::ManagedPolicy",
    "CreateRepository": "AWS::ECR::Repository",
    "CreateBucket": "AWS::S3::Bucket",
}
"""The call that makes a thing → CloudFormation's type of it."""

NAMED = {
    "ModelName": "AWS::SageMaker::Model",
    "EndpointConfigName": "AWS::SageMaker::EndpointConfig",
    "EndpointName": "AWS::SageMaker::Endpoint",
    "InferenceComponentName": "AWS::SageMaker::InferenceComponent",
    "ModelPackageGroupName": "AWS::SageMaker::ModelPackageGroup",
}
"""Arguments that name a thing which the same template may make."""

OUTPUTS = {"EndpointName": {"Value": {"Fn::GetAtt": ["Endpoint", "EndpointName"]}}}
"""By what the endpoint is asked."""

STANDS = ("CreateBucket",)
"""What must be there before the stack: archives are uploaded into it first."""


@dataclass
class Stack:
    """The resources so far, and how what they name is found among them."""

    resources: Document = field(default_factory=dict)
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    """A type and a name → the logical name."""
    steps: dict[str, str] = field(default_factory=dict)
    """What a step is called → the logical name."""

    def add(self, step: Make, kind: str, properties: Document) -> None:
        """One more resource, named by its type and its turn among those."""
        short = kind.rpartition("::")[2]
        turn = sum(each["Type"] == kind for each in self.resources.values())
        logical = f"{short}{turn + 1}" if turn else short
        body: Document = {"Type": kind, "Properties": properties}
        if kind.startswith("AWS::ApplicationAutoScaling::ScalableTarget"):
            last = [name for name in ("InferenceComponent", "Endpoint") if name in self.resources]
            body["DependsOn"] = last[:1]
        self.resources[logical] = body
        self.steps[step.what] = logical
        for key, of in NAMED.items():
            if of == kind and isinstance(properties.get(key), str):
                self.named[kind, properties[key]] = logical

    def linked(self, value: Any, own: str) -> Any:
        """A value with references to resources of the template in place of their names."""
        if isinstance(value, Answer):
            return {"Ref": self.steps[value.step]}
        if isinstance(value, Mapping):
            return {key: self.link(key, each, own) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.linked(each, own) for each in value]
        return value

    def link(self, key: str, value: Any, own: str) -> Any:
        """A reference to what an argument names, if the template makes it."""
        kind = NAMED.get(key, "")
        if isinstance(value, str) and kind != own and (kind, value) in self.named:
            return {"Fn::GetAtt": [self.named[kind, value], key]}
        return self.linked(value, own)


def template(plan: Plan, *, bucket: bool = False) -> Document:
    """All that a plan makes; its `bucket` is taken to be there, unless the plan is to make that."""
    stack = Stack()
    for step in plan.steps:
        if not isinstance(step, Make):
            continue
        if step.call.operation in EXTENDING:
            EXTENDING[step.call.operation](stack, step.call.parameters)
        elif step.call.operation in TYPES and (bucket or step.call.operation not in STANDS):
            kind = TYPES[step.call.operation]
            properties = SHAPES.get(kind, dict)(step.call.parameters)
            stack.add(step, kind, stack.linked(properties, kind))
    return {
        "AWSTemplateFormatVersion": VERSION,
        "Description": f"{plan.name}, as deploy.py plans it",
        "Resources": stack.resources,
        **({"Outputs": OUTPUTS} if "Endpoint" in stack.resources else {}),
    }


def uploads(plan: Plan) -> Iterator[tuple[str, str]]:
    """The files of this machine that must lie in S3 before, and where."""
    for step in plan.steps:
        if isinstance(step, Upload):
            place = step.call.parameters
            yield str(step.file), f"s3://{place['Bucket']}/{place['Key']}"
        elif isinstance(step, UploadFolder):
            for key, file in step.files.items():
                yield str(file), f"s3://{step.call.parameters['Bucket']}/{key}"


# -- where CloudFormation's words are others than the API's ---------------------------------------


def model(asked: Mapping[str, Any]) -> Document:
    """A model: CloudFormation has no word yet for its metrics, which are asked for all the same."""
    container = asked.get("PrimaryContainer", {})
    kept = {key: value for key, value in container.items() if key != "ContainerMetricsConfig"}
    return {**asked, "PrimaryContainer": kept}


def target(asked: Mapping[str, Any]) -> Document:
    """A scalable target: CloudFormation gives it no tags."""
    return {key: value for key, value in asked.items() if key != "Tags"}


def log_group(asked: Mapping[str, Any]) -> Document:
    """A group of logs."""
    tags = [{"Key": key, "Value": value} for key, value in asked["tags"].items()]
    return {"LogGroupName": asked["logGroupName"], "Tags": tags}


def repository(asked: Mapping[str, Any]) -> Document:
    """A repository of images."""
    return {
        "RepositoryName": asked["repositoryName"],
        "ImageTagMutability": asked["imageTagMutability"],
        "ImageScanningConfiguration": {"ScanOnPush": True},
        "Tags": asked["tags"],
    }


def role(asked: Mapping[str, Any]) -> Document:
    """A role with its trust policy."""
    return {**asked, "AssumeRolePolicyDocument": json.loads(asked["AssumeRolePolicyDocument"])}


def managed_policy(asked: Mapping[str, Any]) -> Document:
    """A policy to be attached to people; CloudFormation gives it no tags."""
    return {
        "ManagedPolicyName": asked["PolicyName"],
        "PolicyDocument": json.loads(asked["PolicyDocument"]),
    }


def own_bucket(asked: Mapping[str, Any]) -> Document:
    """A bucket, in the stack's own region."""
    return {"BucketName": asked["Bucket"]}


SHAPES: Mapping[str, Callable[[Mapping[str, Any]], Document]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": target,
    "AWS::Logs::LogGroup": log_group,
    "AWS::SageMaker::Model": model,
    "AWS::ECR::Repository": repository,
    "AWS::IAM::Role": role,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::S3::Bucket": own_bucket,
}


def keep_log(stack: Stack, asked: Mapping[str, Any]) -> None:
    """How long the log is kept, which is a property of the group."""
    stack.resources["LogGroup"]["Properties"]["RetentionInDays"] = asked["retentionInDays"]


def allow(stack: Stack, asked: Mapping[str, Any]) -> None:
    """What a role may do, which is a property of the role."""
    document = json.loads(asked["PolicyDocument"])
    entry = {"PolicyName": asked["PolicyName"], "PolicyDocument": document}
    stack.resources["Role"]["Properties"]["Policies"] = [entry]


def expire(stack: Stack, asked: Mapping[str, Any]) -> None:
    """Which images go, which is a property of the repository."""
    rule = {"LifecyclePolicyText": asked["lifecyclePolicyText"]}
    stack.resources["Repository"]["Properties"]["LifecyclePolicy"] = rule


def close(stack: Stack, asked: Mapping[str, Any]) -> None:
    """That nobody else sees a bucket, which is a property of the bucket; it outlives the stack."""
    bucket = stack.resources["Bucket"]
    bucket["Properties"]["PublicAccessBlockConfiguration"] = asked["PublicAccessBlockConfiguration"]
    bucket.update({"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"})


def label(stack: Stack, asked: Mapping[str, Any]) -> None:
    """The tags of a bucket, which are a property of the bucket."""
    stack.resources["Bucket"]["Properties"]["Tags"] = asked["Tagging"]["TagSet"]


EXTENDING: Mapping[str, Callable[[Stack, Mapping[str, Any]], None]] = {
    "PutRetentionPolicy": keep_log,
    "PutRolePolicy": allow,
    "PutLifecyclePolicy": expire,
    "PutPublicAccessBlock": close,
    "PutBucketTagging": label,
}
"""Calls that say more of what another has made."""
