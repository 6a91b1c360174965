"""The IAM policies: what they allow is what deployment/ does, and AWS takes them."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.session import get_session
from moto import mock_aws

from deployment import policy
from deployment.aws.refusals import action
from deployment.grants import ADMIN, CONTAINER, FREE, GRANTS
from deployment.plan.calls import Call
from deployment.policy import Place

ROOT = Path(__file__).parents[2]

SERVICES = (
    *("application-autoscaling", "cloudwatch", "ecr", "iam", "logs", "pricing", "s3", "sagemaker"),
    *("sagemaker-runtime", "service-quotas", "sts"),
)

WORDS = {"refusals.py", "grants.py", "images.py", "template.py"}
"""Files that speak of calls and make none."""


def operations() -> dict[str, set[str]]:
    """Every operation of the services that are used, with the actions that it may need."""
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        for operation in get_session().get_service_model(service).operation_names:
            found.setdefault(operation, set()).add(action(Call(service, operation, {})))
    return found


OPERATIONS = operations()


def made() -> Iterator[str]:
    """The operations that the code names."""
    files = {*(ROOT / "deployment").rglob("*.py")} - {ROOT / "deployment" / each for each in WORDS}
    for file in sorted(files):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in OPERATIONS:
                yield str(node.value)


MADE = sorted(set(made()))

ALLOWED = {
    each for grants in (GRANTS, ADMIN) for grant in grants.values() for each in grant.actions
} | set(FREE)


@pytest.mark.parametrize("operation", MADE)
def test_every_call_that_is_made_is_allowed(operation: str) -> None:
    assert OPERATIONS[operation] & ALLOWED, f"add it to GRANTS in deployment/grants.py: {operation}"


@pytest.mark.parametrize("allowed", sorted(ALLOWED))
def test_nothing_is_allowed_that_no_call_needs(allowed: str) -> None:
    assert any(allowed in OPERATIONS[operation] for operation in MADE)


def test_the_scan_finds_what_is_known_to_be_called() -> None:
    assert {"CreateEndpoint", "PutScalingPolicy", "CreateRepository"} < set(MADE)


# -- AWS ----------------------------------------------------------------------------------------


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Moto's IAM, which checks documents."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("iam")


@pytest.mark.parametrize("kind", ["admin", "person", "role"])
def test_iam_takes_the_policy(kind: str, iam: Any) -> None:
    place = Place("eu-central-1", "123456789012", "my-role", "my-bucket")
    document = json.dumps(policy.DOCUMENTS[kind](place))

    assert iam.create_policy(PolicyName=kind, PolicyDocument=document)["Policy"]["Arn"]
    assert len(re.sub(r"\s", "", document)) <= 6144, "as long as IAM lets a managed policy be"
    assert not re.search(r"REGION|ACCOUNT|[{}]{2}\w|\{\w+\}", document)


def test_iam_takes_the_role(iam: Any) -> None:
    made = iam.create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(policy.TRUST))

    (statement,) = made["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}


def test_a_wrong_document_would_be_noticed(iam: Any) -> None:
    wrong = policy.document(GRANTS, Place())
    wrong["Statement"][0]["Resource"] = "plumbline"

    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_policy(PolicyName="wrong", PolicyDocument=json.dumps(wrong))


def test_only_what_can_not_be_narrower_is_allowed_everywhere() -> None:
    for grants in (GRANTS, CONTAINER):
        wide = [name for name, grant in grants.items() if "*" in grant.resources]
        assert wide == ["Everywhere"]
        assert all(
            ":*" not in each and each != "*" for grant in grants.values() for each in grant.actions
        )


@pytest.mark.parametrize("kind", sorted(policy.DOCUMENTS))
def test_each_is_printed_by_a_command(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--region", "eu-central-1", "--account", "123456789012")
    monkeypatch.setattr(sys, "argv", ["policy", kind, *given])
    policy.main()

    place = Place("eu-central-1", "123456789012")
    assert json.loads(capsys.readouterr().out) == policy.DOCUMENTS[kind](place)
