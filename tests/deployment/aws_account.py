"""The account that the tests deploy into, and what they call things in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

REGION = "eu-central-1"

ACCOUNT = "123456789012"

ROLE = f"arn:aws:iam::{ACCOUNT}:role/my-sagemaker-role"

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/plumbline@sha256:{'0' * 64}"

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"

ENDPOINTS = "/aws/sagemaker/Endpoints/"
"""Where logs of endpoints are; those of jobs are in groups that all share."""

Deploy = Callable[..., Result]

Account = Callable[[str], Any]
"""boto3's client of a service."""


def runs(account: Account) -> str:
    """The configuration that `cats` is on."""
    return str(account("sagemaker").describe_endpoint(EndpointName="cats")["EndpointConfigName"])


def inventory(account: Account) -> dict[str, list[str]]:
    """All that is in the account, as AWS lists it; kinds of which there is nothing are left out."""
    sagemaker, scaling = account("sagemaker"), account("application-autoscaling")
    found = {
        "models": names(sagemaker.list_models()["Models"], "ModelName"),
        "configs": names(
            sagemaker.list_endpoint_configs()["EndpointConfigs"], "EndpointConfigName"
        ),
        "endpoints": names(sagemaker.list_endpoints()["Endpoints"], "EndpointName"),
        "targets": names(
            scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"],
            "ResourceId",
        ),
        "policies": names(
            scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"],
            "PolicyName",
        ),
        "trainings": [
            each["TrainingJobName"]
            for each in sagemaker.list_training_jobs()["TrainingJobSummaries"]
        ],
        "alarms": names(account("cloudwatch").describe_alarms()["MetricAlarms"], "AlarmName"),
        "dashboards": names(
            account("cloudwatch").list_dashboards()["DashboardEntries"], "DashboardName"
        ),
        "logs": names(
            account("logs").describe_log_groups(logGroupNamePrefix=ENDPOINTS)["logGroups"],
            "logGroupName",
        ),
        **stored(account("s3")),
    }
    return {kind: listed for kind, listed in found.items() if listed}


def names(found: list[dict[str, Any]], key: str) -> list[str]:
    """The names of some things, sorted."""
    return sorted(each[key] for each in found)


def stored(s3: Any) -> dict[str, list[str]]:
    """What is in all buckets, and what was begun and not ended."""
    buckets = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    return {
        "objects": [
            f"{bucket}/{each['Key']}"
            for bucket in buckets
            for each in s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        ],
        "uploads": [
            f"{bucket}/{each['Key']}"
            for bucket in buckets
            for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
        ],
    }
