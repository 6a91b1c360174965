"""Versions of a model in SageMaker's model registry."""

from __future__ import annotations

from typing import Any

from deployment.aws.client import Aws
from deployment.current.tags import is_ours
from deployment.errors import DeploymentError, Misuse, Refused
from deployment.plan import registration
from deployment.plan.calls import Call, Look
from deployment.plan.state import Described


def versions(aws: Aws, name: str) -> tuple[str, ...]:
    """The ARNs of all versions, the newest first, and that of their group at the end."""
    group = aws.look(registration.look_at(name))
    if group is None or not is_ours(aws, group["ModelPackageGroupArn"], name):
        return ()
    found = aws.pages(registration.listing(name), "ModelPackageSummaryList")
    return (*(each["ModelPackageArn"] for each in found), group["ModelPackageGroupArn"])


def listed(aws: Aws, name: str) -> list[Described]:
    """The versions as SageMaker lists them, the newest first."""
    return list(aws.pages(registration.listing(name), "ModelPackageSummaryList"))


def version(aws: Aws, name: str, number: int) -> Described:
    """One of them. Raises `Refused` where there is none."""
    for each in listed(aws, name):
        if each["ModelPackageVersion"] == number:
            return each
    raise Refused(f"{name} has no version {number} in the model registry.", "not found")


def check(aws: Aws, package: str) -> None:
    """Raise `Misuse` for a version that nobody has approved."""
    call = Call("sagemaker", "DescribeModelPackage", {"ModelPackageName": package})
    state = aws.look(Look(call, "ModelApprovalStatus"))
    if state not in (None, registration.APPROVED):
        name, _, number = package.rpartition("model-package/")[2].partition("/")
        raise Misuse(
            f"--model {package} is {state}: `python deploy.py register {name} --approve {number}` "
            "approves it."
        )


def image(aws: Aws, package: str) -> str:
    """The image of a model package; empty where it can't be seen."""
    call = Call("sagemaker", "DescribeModelPackage", {"ModelPackageName": package})
    try:
        found = aws.look(Look(call, "InferenceSpecification.Containers[0].Image"))
    except DeploymentError:
        return ""  # AWS judges it
    return str(found or "")


def archive(aws: Aws, package: str) -> str:
    """Where the archive of a model package lies. Raises `Misuse` where there is none."""
    call = Call("sagemaker", "DescribeModelPackage", {"ModelPackageName": package})
    found: dict[str, Any] | None = aws.look(Look(call, "InferenceSpecification.Containers[0]"))
    if found is None:
        raise Misuse(f"There is no model package {package}, or it has no container.")
    folder = (found.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return str(found.get("ModelDataUrl") or folder.get("S3Uri") or "")
