"""What the tools here do in an AWS account, and what the container does: action by action."""

from __future__ import annotations

from collections.abc import Mapping
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
            "ecr:DescribeImageScanFindings",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ),
        # What Docker asks when it pushes, and when it looks whether an image is there.
        (
            "ecr:TagResource",
            "ecr:BatchCheckLayerAvailability",
            "ecr:InitiateLayerUpload",
            "ecr:UploadLayerPart",
            "ecr:CompleteLayerUpload",
            "ecr:PutImage",
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
    "Components": Grant(
        (f"{SAGEMAKER}:inference-component/*",),
        (
            *(
                f"sagemaker:{verb}InferenceComponent"
                for verb in ("Create", "Describe", "Update", "Delete")
            ),
            "sagemaker:AddTags",
            "sagemaker:ListTags",
        ),
        ("sagemaker:InvokeEndpoint",),
    ),
    "Registry": Grant(
        (f"{SAGEMAKER}:model-package/*", f"{SAGEMAKER}:model-package-group/*"),
        (
            *(f"sagemaker:{verb}ModelPackage" for verb in ("Create", "Describe", "Update")),
            "sagemaker:DeleteModelPackage",
            *(f"sagemaker:{verb}ModelPackageGroup" for verb in ("Create", "Describe", "Delete")),
            "sagemaker:AddTags",
            "sagemaker:ListTags",
        ),
    ),
    "Training": Grant(
        (f"{SAGEMAKER}:training-job/*", f"{SAGEMAKER}:hyper-parameter-tuning-job/*"),
        (
            *(
                f"sagemaker:{verb}TrainingJob"
                for verb in ("Create", "Describe", "Stop", "Update", "Delete")
            ),
            *(
                f"sagemaker:{verb}HyperParameterTuningJob"
                for verb in ("Create", "Describe", "Stop", "Delete")
            ),
            "sagemaker:AddTags",
            "sagemaker:ListTags",
        ),
    ),
    "Role": Grant(
        ("arn:aws:iam::{account}:role/{role}",),
        (),
        ("iam:PassRole",),
        {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    ),
    "RoleItself": Grant(("arn:aws:iam::{account}:role/{role}",), ("iam:GetRole",)),
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
    "Dashboard": Grant(
        ("arn:aws:cloudwatch::{account}:dashboard/plumbline-*",),
        ("cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"),
    ),
    "Logs": Grant(
        ("arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/*",),
        (
            "logs:CreateLogGroup",
            "logs:PutRetentionPolicy",
            "logs:ListTagsForResource",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:DeleteLogGroup",
            "logs:DeleteLogStream",
        ),
        ("logs:TagResource",),
    ),
    "Everywhere": Grant(
        ("*",),  # AWS lets nobody say more precisely on what
        (
            "ecr:GetAuthorizationToken",
            "sagemaker:ListModels",
            "sagemaker:ListEndpointConfigs",
            "sagemaker:ListEndpoints",
            "sagemaker:ListInferenceComponents",
            "sagemaker:ListModelPackages",
            "sagemaker:ListTransformJobs",
            "sagemaker:ListTrainingJobs",
            "sagemaker:ListHyperParameterTuningJobs",
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:PutMetricData",
            "logs:DescribeLogGroups",
            "servicequotas:ListServiceQuotas",
            "pricing:GetProducts",
        ),
    ),
}
"""What build_and_push.sh and deploy.py do, by what they do it to."""

ADMIN: Mapping[str, Grant] = {
    "ContainerRole": Grant(
        ("arn:aws:iam::{account}:role/{role}",),
        (
            *(f"iam:{verb}Role" for verb in ("Create", "Get", "Delete")),
            *(f"iam:{verb}RolePolicy" for verb in ("Put", "Get", "Delete")),
        ),
        ("iam:TagRole",),
    ),
    "PersonPolicy": Grant(
        ("arn:aws:iam::{account}:policy/{role}-deploy",),
        (*(f"iam:{verb}Policy" for verb in ("Create", "Get", "Delete")),),
        ("iam:TagPolicy",),
    ),
    "Repository": Grant(
        ("arn:aws:ecr:{region}:{account}:repository/{role}",),
        (
            "ecr:DescribeRepositories",
            "ecr:CreateRepository",
            "ecr:DeleteRepository",
            "ecr:GetLifecyclePolicy",
            "ecr:PutLifecyclePolicy",
        ),
        ("ecr:TagResource",),
    ),
    "Bucket": Grant(
        ("arn:aws:s3:::{bucket}",),
        (
            "s3:CreateBucket",
            "s3:ListBucket",
            "s3:DeleteBucket",
            "s3:GetBucketTagging",
            "s3:PutBucketTagging",
            "s3:GetBucketPublicAccessBlock",
            "s3:PutBucketPublicAccessBlock",
        ),
    ),
}
"""What `deploy.py account` does, once, beyond what everybody may."""

TAGGING = {"sagemaker:AddTags", "sagemaker:ListTags"}
"""What goes with all things of SageMaker's, and is nothing of its own."""

PASSING = {
    *(f"sagemaker:Create{each}" for each in ("Model", "TrainingJob", "HyperParameterTuningJob")),
}
"""What is told the container's role."""

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
    "Checkpoints": Grant(
        ("arn:aws:s3:::{bucket}/plumbline/*/checkpoints/*",), ("s3:DeleteObject",)
    ),
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
"""What SageMaker does in the container's role: fetch image, archive and data, write logs, answers
and models, and keep checkpoints in step with what the container keeps.
"""
