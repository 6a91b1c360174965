"""One name → the names of everything that is made for it, and the tags that say so."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from deployment.errors import Misuse

FORM = re.compile(r"(?=.{1,45}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")
"""SageMaker takes 63 characters; the rest is for what is appended."""

HASH = 8
"""Hexadecimal digits of a fingerprint."""

TAG = "plumbline:name"
"""The tag by which everything of a deployment is found again."""

MADE_BY = "plumbline:made-by"

BEFORE = "plumbline:before"
"""The tag by which a configuration names the one that ran before it."""

Tags = list[dict[str, str]]


def check_name(name: str) -> str:
    """The name. Raises `Misuse` for one that AWS would not take."""
    if not FORM.fullmatch(name):
        raise Misuse(
            f"{name!r} can't be the name of an endpoint: at most 45 letters, digits and hyphens "
            "inside, such as cats or bees-2."
        )
    return name


def fingerprint(parameters: Mapping[str, Any]) -> str:
    """What the same parameters always give, and others don't."""
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH]


def versioned(name: str, parameters: Mapping[str, Any]) -> str:
    """The name of a model or a configuration: it follows from what is in it."""
    return f"{name}-{fingerprint(parameters)}"


def is_of(name: str, resource: str) -> bool:
    """Whether a model or a configuration may be one of this deployment, by its name."""
    return re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{{HASH}}}", resource) is not None


def tags(name: str) -> Tags:
    """The tags of everything, in the form of SageMaker, CloudWatch and IAM."""
    return [{"Key": TAG, "Value": name}, {"Key": MADE_BY, "Value": "deploy.py"}]


def default_bucket(region: str, account: str) -> str:
    """The bucket that the SageMaker SDK uses, too; AWS's own policy for roles lets it be read."""
    return f"sagemaker-{region}-{account}"


def prefix(name: str) -> str:
    """Where in the bucket everything of a deployment lies."""
    return f"plumbline/{name}/"


def archive_key(name: str, sha256: str) -> str:
    """Where an archive lies; another content lies elsewhere."""
    return f"{prefix(name)}{sha256[:16]}/model.tar.gz"


def scalable(name: str, variant: str) -> str:
    """What Application Auto Scaling calls a variant."""
    return f"endpoint/{name}/variant/{variant}"


def alarm(name: str, what: str) -> str:
    """The name of an alarm; all of a deployment begin with `alarm(name, "")`."""
    return f"plumbline/{name}/{what}"


JOB_LOGS = "/aws/sagemaker/TransformJobs"
"""Where SageMaker writes what the containers of all batch jobs say."""


def log_group(name: str) -> str:
    """Where SageMaker writes what the containers of an endpoint say."""
    return f"/aws/sagemaker/Endpoints/{name}"
