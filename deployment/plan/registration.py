"""An archive and its image → a version in SageMaker's model registry, as calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployment import names
from deployment.plan.calls import Call, Look, Make, Plan, Remove, Step
from deployment.plan.models import container, upload_steps
from deployment.plan.order import Order

PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"

TAKEN = ("application/x-image", "application/json", "application/jsonlines")
"""Media types of requests; others are refused by the server itself."""

ANSWERED = ("application/json", "application/x-npy", "image/png")


def plan_registration(order: Order, approval: str) -> Plan:
    """Upload the archive, make the group and, unless there is the same, the version."""
    steps = (*upload_steps(order), make_group(order), make_version(order, approval))
    cost = (
        f"The archive in S3: billed as storage, until `python deploy.py down {order.name} --data`."
    )
    return Plan(order.name, order.region, steps, (cost,))


def look_at(name: str) -> Look:
    """The group of a model's versions."""
    call = Call("sagemaker", "DescribeModelPackageGroup", {"ModelPackageGroupName": name})
    return Look(call)


def listing(name: str) -> Call:
    """The versions, the newest first."""
    asked = {
        "ModelPackageGroupName": name,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
    }
    return Call("sagemaker", "ListModelPackages", asked)


def make_group(order: Order) -> Make:
    """The group, which is called as the endpoint is."""
    asked = {
        "ModelPackageGroupName": order.name,
        "ModelPackageGroupDescription": "Versions of a model that Plumbline packed",
        "Tags": names.tags(order.name, order.tags),
    }
    call = Call("sagemaker", "CreateModelPackageGroup", asked)
    return Make(f"model package group {order.name}", call, look_at(order.name))


def make_version(order: Order, approval: str) -> Make:
    """The version; one of the same archive, image and settings is known by its description."""
    [variant] = order.variants
    served = container(order, variant.archive)
    inference = {
        "Containers": [served],
        "SupportedContentTypes": list(TAKEN),
        "SupportedResponseMIMETypes": list(ANSWERED),
    }
    described = f"plumbline {names.fingerprint(served)}"
    asked = {
        "ModelPackageGroupName": order.name,
        "ModelPackageDescription": described,
        "InferenceSpecification": inference,
        "ModelApprovalStatus": approval,
    }
    found = f"ModelPackageSummaryList[?ModelPackageDescription=='{described}'] | [0]"
    return Make(
        f"version of {order.name}",
        Call("sagemaker", "CreateModelPackage", asked),
        Look(listing(order.name), found),
    )


def plan_approval(name: str, region: str, package: str, approval: str, why: str) -> Plan:
    """Say of a version that it may be deployed, or that it may not."""
    asked: dict[str, Any] = {"ModelPackageArn": package, "ModelApprovalStatus": approval}
    if why:
        asked["ApprovalDescription"] = why
    shown = Look(
        Call("sagemaker", "DescribeModelPackage", {"ModelPackageName": package}),
        "{ModelApprovalStatus: ModelApprovalStatus}",
    )
    step = Make(
        f"approval of {package}",
        Call("sagemaker", "UpdateModelPackage", asked),
        shown,
        expected={"ModelApprovalStatus": approval},
        again=True,
        doing="Setting",
    )
    return Plan(name, region, (step,), ("It costs nothing.",))


def removals(versions: tuple[str, ...]) -> Iterator[Step]:
    """What removes versions, and their group at the end."""
    for arn in versions:
        if ":model-package-group/" in arn:
            group = {"ModelPackageGroupName": arn.rpartition("/")[2]}
            call = Call("sagemaker", "DeleteModelPackageGroup", group)
            yield Remove(f"model package group {arn.rpartition('/')[2]}", call)
        else:
            call = Call("sagemaker", "DeleteModelPackage", {"ModelPackageName": arn})
            yield Remove(f"model package {'/'.join(arn.split('/')[1:])}", call)
