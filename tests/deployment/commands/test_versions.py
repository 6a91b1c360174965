"""The model registry: versions are made once, approved, deployed by their ARN, and removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_account import BUCKET, IMAGE, ROLE, Account, Deploy, inventory
from click.testing import Result
from faults import Weather


@pytest.fixture
def register(deploy: Deploy, archive: Path) -> Deploy:
    """`deploy.py register cats` with all that it needs."""
    needed = ("--image", IMAGE, "--role", ROLE, "--no-check")

    def run(*more: object, model: Path = archive) -> Result:
        return deploy("register", "cats", "--model", model, *needed, *more)

    return run


def test_the_same_is_registered_once_and_another_archive_is_another_version(
    account: Account, register: Deploy, deploy: Deploy, better: Path
) -> None:
    first, again, other = register(), register(), register("--approved", model=better)
    listed = deploy("register", "cats").stdout.splitlines()

    assert first.exit_code == 0, first.stderr
    assert first.stdout == again.stdout
    assert first.stdout.strip().endswith(":model-package/cats/1")
    assert other.stdout.strip().endswith(":model-package/cats/2")
    assert sorted(line.split(",")[0] for line in listed) == [
        "1: PendingManualApproval",
        "2: Approved",
    ]


def test_a_version_is_approved_with_a_reason_and_rejected(
    account: Account, register: Deploy, deploy: Deploy
) -> None:
    arn = register().stdout.strip()
    approved = deploy("register", "cats", "--approve", 1, "--because", "checked by the team")
    sagemaker = account("sagemaker")
    state = sagemaker.describe_model_package(ModelPackageName=arn)
    rejected = deploy("register", "cats", "--reject", 1)

    assert approved.exit_code == 0, approved.stderr
    assert state["ModelApprovalStatus"] == "Approved"
    assert state["ApprovalDescription"] == "checked by the team"
    assert rejected.exit_code == 0, rejected.stderr
    assert (
        sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Rejected"
    )
    assert deploy("register", "cats", "--approve", 7).exit_code == 4


def test_a_version_is_deployed_by_its_arn_alone(
    account: Account, register: Deploy, deploy: Deploy
) -> None:
    arn = register().stdout.strip()
    needed = ("--role", ROLE, "--region", "eu-central-1", "--no-check")
    ended = deploy("up", "cats", "--model", arn, *needed, "--dry-run")
    both = deploy("up", "cats", "--model", arn, "--image", IMAGE, *needed)

    made = {each["operation"]: each["parameters"] for each in json.loads(ended.stdout)["calls"]}
    assert made["CreateModel"]["PrimaryContainer"] == {
        "ModelPackageName": arn,
        "Environment": {},
    }
    assert "PutObject" not in made
    assert both.exit_code == 2
    assert "names its image: leave out --image" in both.stderr


def test_a_version_that_nobody_has_approved_is_not_deployed(
    account: Account, register: Deploy, deploy: Deploy
) -> None:
    arn = register().stdout.strip()
    ended = deploy("up", "cats", "--model", arn, "--role", ROLE)

    assert ended.exit_code == 2
    assert f"{arn} is PendingManualApproval" in ended.stderr
    assert "register cats --approve 1" in ended.stderr


def test_down_removes_versions_and_their_group_with_the_data(
    account: Account, register: Deploy, deploy: Deploy, better: Path
) -> None:
    register()
    register(model=better)
    removed: list[Any] = []

    def remove(asked: Mapping[str, Any]) -> dict[str, Any]:
        removed.extend(asked.values())
        return {}

    stubs = {"DeleteModelPackage": remove, "DeleteModelPackageGroup": remove}
    with Weather(stubs=stubs).prevailing():
        kept = deploy("down", "cats", "--yes")
        dropped = deploy("down", "cats", "--yes", "--data")

    assert "Still there, as data: 2 objects" in kept.stderr
    assert [each.rpartition(":model-package/")[2] for each in removed[:-1]] == ["cats/2", "cats/1"]
    assert removed[-1] == "cats"
    assert "model package group cats" in dropped.stderr
    assert "objects" not in inventory(account)


@pytest.mark.parametrize("missing", ["--model", "--image", "--role"])
def test_what_is_missing_is_said(account: Account, deploy: Deploy, missing: str) -> None:
    given = {"--model": f"s3://{BUCKET}/model.tar.gz", "--image": IMAGE, "--role": ROLE}
    del given[missing]
    ended = deploy("register", "cats", *(word for pair in given.items() for word in pair))

    assert ended.exit_code == 2
    assert f"{missing} is missing" in ended.stderr
