"""The container's role: whether SageMaker may take it."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from deployment.aws.client import Aws
from deployment.errors import Misuse
from deployment.plan.calls import Call, Look

SERVICE = "sagemaker.amazonaws.com"

ASSUME = "sts:assumerole"


def check(aws: Aws, role: str) -> None:
    """Raise `Misuse` for a role that is not there, or that SageMaker may not take."""
    name = role.rpartition("/")[2]
    found = aws.look(Look(Call("iam", "GetRole", {"RoleName": name}), "Role"))
    if found is None:
        raise Misuse(
            f"--role {role}: there is no such role in this account. `python deploy.py account` "
            "makes one, and prints its ARN."
        )
    if not trusts(found["AssumeRolePolicyDocument"]):
        raise Misuse(
            f"--role {role}: SageMaker may not take this role. Its trust policy must let "
            f"{SERVICE} do sts:AssumeRole; `python deploy.py account` makes a role that does."
        )


def trusts(document: Mapping[str, Any]) -> bool:
    """Whether a trust policy lets SageMaker in; conditions are AWS's to judge."""
    return any(
        statement.get("Effect") == "Allow"
        and SERVICE in listed((statement.get("Principal") or {}).get("Service"))
        and any(fnmatch.fnmatch(ASSUME, each.lower()) for each in listed(statement.get("Action")))
        for statement in listed(document.get("Statement"))
    )


def listed(value: Any) -> list[Any]:
    """IAM lets one thing stand for a list of it."""
    return value if isinstance(value, list) else [] if value is None else [value]
