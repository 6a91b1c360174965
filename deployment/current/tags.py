"""The tags by which everything of a deployment is known for its own."""

from __future__ import annotations

from deployment import names
from deployment.aws.client import Aws
from deployment.plan.calls import Call


def of(aws: Aws, arn: str) -> dict[str, str]:
    """The tags of a thing of SageMaker's."""
    tags = aws.pages(Call("sagemaker", "ListTags", {"ResourceArn": arn}), "Tags")
    return {tag["Key"]: str(tag["Value"]) for tag in tags}


def is_ours(aws: Aws, arn: str, name: str) -> bool:
    """Whether a thing of SageMaker's carries the tag of this deployment."""
    return of(aws, arn).get(names.TAG) == name


def request_of(aws: Aws, arn: str) -> str:
    """What a job was asked for, as a fingerprint."""
    return of(aws, arn).get(names.REQUEST, "")
