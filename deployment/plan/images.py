"""The image's repository in Amazon ECR, and which of its images are removed, as calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from deployment.plan.calls import Call, Look, Make

DAYS = 14
"""How long an image that has lost its tag is kept."""


def repository(name: str) -> Look:
    """The repository as it is."""
    return Look(Call("ecr", "DescribeRepositories", {"repositoryNames": [name]}), "repositories[0]")


def make_repository(name: str, tags: Sequence[dict[str, str]]) -> Make:
    """The repository: its images are scanned when pushed, and its tags stay what they are."""
    parameters = {
        "repositoryName": name,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "tags": list(tags),
    }
    return Make(f"repository {name}", Call("ecr", "CreateRepository", parameters), repository(name))


def rules(keep: int | None) -> dict[str, Any]:
    """Images without a tag go after a while, and with `keep` all but the newest so many."""
    untagged = {
        "rulePriority": 1,
        "description": "Images without a tag are removed",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": DAYS,
        },
        "action": {"type": "expire"},
    }
    if keep is None:
        return {"rules": [untagged]}
    newest = {
        "rulePriority": 2,
        "description": "The newest images are kept",
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": keep,
        },
        "action": {"type": "expire"},
    }
    return {"rules": [untagged, newest]}


def make_rule(name: str, keep: int | None = None) -> Make:
    """What removes images: those without a tag, of which a push that broke off leaves some.

    Without `keep`, a rule that is there stays as it is.
    """
    place = {"repositoryName": name}
    text = json.dumps(rules(keep))
    return Make(
        f"rule that removes its images without a tag after {DAYS} days"
        + (f", and all but the newest {keep}" if keep else ""),
        Call("ecr", "PutLifecyclePolicy", {**place, "lifecyclePolicyText": text}),
        Look(Call("ecr", "GetLifecyclePolicy", place)),
        expected={"lifecyclePolicyText": text} if keep else {},
        again=bool(keep),
        doing="Setting" if keep else "Making",
    )
