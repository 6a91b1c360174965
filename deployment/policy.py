"""What a person, and what the container, must be allowed in an AWS account: as IAM policies.

`python -m deployment.policy person|role|trust` prints them, with --region and --account filled in.
A test holds the first to the calls that deployment/ makes, so that nothing is missing or too much.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Grant:
    """Actions on resources; what belongs to them beyond the calls themselves is `implied`."""

    resources: tuple[str, ...]
    actions: tuple[str, ...]
    implied: tuple[str, ...] = ()
    condition: Mapping[str, Any] | None = None


SAGEMAKER = "arn:aws:sagemaker:{region}:{account}"

SERVICE_ROLES = "arn:aws:iam::{account}:role/aws-service-role"

GRANTS: Mapping[str, Grant] = {
    "Image": Grant(
        ("arn:aws:ecr:{region}:{account}:repository/*",),
        (
            "ecr:DescribeRepositories",
            "ecr:CreateRepository",
            "ecr:ListTagsForResource",
            "ecr:GetLifecyclePolicy",
            "ecr:PutLifecyclePolicy",
        ),
        # What Docker asks when it pushes, and when it looks whether an image is there.
        (
            "ecr:TagResource",
            "ecr:BatchCheckLayerAvailability",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:PutImage",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ),
    ),
    "Archives": Grant(
        ("arn:aws:s3:::{bucket}",),
        ("s3:CreateBucket", "s3:ListBucket", "s3:ListBucketMultipartUploads"),
    ),
    "ArchivesInside": Grant(
        ("arn:aws:s3:::{bucket}/*",),
        ("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        ("s3:PutObjectTagging",),
    ),
    "Endpoint": Grant(
        (
            *(f"{SAGEMAKER}:{kind}/*" for kind in ("model", "endpoint-config", "endpoint")),
            f"{SAGEMAKER}:transform-job/*",
        ),
        (
            *(f"sagemaker:{verb}Model" for verb in ("Create", "Describe", "Delete")),
            *(f"sagemaker:{verb}EndpointConfig" for verb in ("Create", "Describe", "Delete")),
            *(f"sagemaker:{verb}Endpoint" for verb in ("Create", "Describe", "Delete")),
            "sagemaker:UpdateEndpoint",
            "sagemaker:UpdateEndpointWeightsAndCapacities",
            *(f"sagemaker:{verb}TransformJob" for verb in ("Create", "Describe", "Stop")),
            "sagemaker:AddTags",
            "sagemaker:ListTags",
            "sagemaker:InvokeEndpoint",
            "sagemaker:InvokeEndpointAsync",
        ),
    ),
    "Role": Grant(
        ("arn:aws:iam::{account}:role/{role}",),
        (),
        ("iam:PassRole",),
        {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    ),
    "Scaling": Grant(
        ("arn:aws:application-autoscaling:{region}:{account}:scalable-target/*",),
        (
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:DeleteScalingPolicy",
        ),
        ("application-autoscaling:TagResource",),
    ),
    "ScalingItself": Grant(
        (f"{SERVICE_ROLES}/sagemaker.application-autoscaling.amazonaws.com/*",),
        (),
        ("iam:CreateServiceLinkedRole",),
    ),
    "Alarms": Grant(
        (
            "arn:aws:cloudwatch:{region}:{account}:alarm:plumbline/*",
            "arn:aws:cloudwatch:{region}:{account}:alarm:TargetTracking-endpoint/*",
        ),
        ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
        ("cloudwatch:TagResource",),
    ),
    "Logs": Grant(
        ("arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/*",),
        (
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:DeleteLogGroup",
            "logs:DeleteLogStream",
        ),
    ),
    "Everywhere": Grant(
        ("*",),  # AWS lets nobody say more precisely on what
        (
            "ecr:GetAuthorizationToken",
            "sagemaker:ListModels",
            "sagemaker:ListEndpointConfigs",
            "sagemaker:ListEndpoints",
            "sagemaker:ListTransformJobs",
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:PutMetricData",
            "logs:DescribeLogGroups",
        ),
    ),
}
"""What build_and_push.sh and deploy.py do, by what they do it to."""

FREE = ("sts:GetCallerIdentity",)
"""Everybody may ask who they are."""

TRUST: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
"""Who may take the container's role: SageMaker."""

CONTAINER: Mapping[str, Grant] = {
    "Archives": Grant(("arn:aws:s3:::{bucket}",), ("s3:ListBucket",)),
    "ArchivesInside": Grant(("arn:aws:s3:::{bucket}/*",), ("s3:GetObject", "s3:PutObject")),
    "Image": Grant(
        ("arn:aws:ecr:{region}:{account}:repository/*",),
        ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
    ),
    "Logs": Grant(
        ("arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/*",),
        (
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
        ),
    ),
    "Everywhere": Grant(("*",), ("ecr:GetAuthorizationToken", "cloudwatch:PutMetricData")),
}
"""What SageMaker does in the container's role: fetch image and archive, write logs and answers."""


@dataclass(frozen=True)
class Place:
    """For whom a policy is; the default is everywhere that these tools use by themselves."""

    region: str = "REGION"
    account: str = "ACCOUNT"
    role: str = "plumbline"
    bucket: str = "sagemaker-{region}-{account}"

    def __call__(self, resource: str) -> str:
        """A resource's name, filled in."""
        known = {"region": self.region, "account": self.account, "role": self.role}
        return resource.format(bucket=self.bucket.format(**known), **known)


def person(place: Place) -> Document:
    """For whoever pushes and deploys."""
    return document(GRANTS, place)


def role(place: Place) -> Document:
    """For the role that is named by --role."""
    return document(CONTAINER, place)


def document(grants: Mapping[str, Grant], place: Place) -> Document:
    """The grants as IAM takes them."""
    return {"Version": "2012-10-17", "Statement": list(statements(grants, place))}


def statements(grants: Mapping[str, Grant], place: Place) -> Iterator[Document]:
    """One statement for each grant."""
    for name, grant in grants.items():
        resources = [place(each) for each in grant.resources]
        yield {
            "Sid": name,
            "Effect": "Allow",
            "Action": [*grant.actions, *grant.implied],
            "Resource": resources if len(resources) > 1 else resources[0],
            **({"Condition": dict(grant.condition)} if grant.condition else {}),
        }


def trust(_place: Place) -> Document:
    """Who may take that role."""
    return TRUST


DOCUMENTS = {"person": person, "role": role, "trust": trust}


def main() -> None:
    """Print one."""
    parser = argparse.ArgumentParser(prog="python -m deployment.policy")
    parser.add_argument("document", choices=DOCUMENTS)
    parser.add_argument("--region", default=Place.region)
    parser.add_argument("--account", default=Place.account)
    parser.add_argument("--role", default=Place.role, help="the name of the container's role")
    parser.add_argument("--bucket", default=Place.bucket, help="default: %(default)s")
    chosen = parser.parse_args()
    place = Place(chosen.region, chosen.account, chosen.role, chosen.bucket)
    sys.stdout.write(f"{json.dumps(DOCUMENTS[chosen.document](place), indent=2)}\n")


if __name__ == "__main__":
    main()
