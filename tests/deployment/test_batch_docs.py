"""The batch jobs in the documentation, word for word, against botocore's model and moto's AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

PAGE = Path(__file__).parents[2] / "docs/batch.md"

BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """SageMaker in an account that has the model."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("sagemaker")
        role = "arn:aws:iam::123456789012:role/my-sagemaker-role"
        client.create_model(ModelName="digits", ExecutionRoleArn=role, PrimaryContainer={})
        yield client


def unknown_choices(value: Any, shape: Any) -> list[str]:
    """The texts in `value` that are none of those that `shape` allows; botocore takes any."""
    if shape.type_name == "structure":
        members = shape.members
        return [text for key in value for text in unknown_choices(value[key], members[key])]
    choices = getattr(shape, "enum", [])
    return [value] if choices and value not in choices else []


@pytest.fixture
def jobs(account: Any) -> list[dict[str, Any]]:
    """What the documentation's jobs ask for."""
    requests: list[dict[str, Any]] = []

    def listen(params: dict[str, Any], **_: Any) -> None:
        requests.append(dict(params))

    names: dict[str, Any] = {}
    boto3.setup_default_session()
    events = boto3.DEFAULT_SESSION.events
    events.register("provide-client-params.sagemaker.CreateTransformJob", listen)
    for block in BLOCKS:
        exec(block, names)
    return requests


def test_the_jobs_are_started(account: Any, jobs: list[dict[str, Any]]) -> None:
    started = account.list_transform_jobs()["TransformJobSummaries"]

    assert len(jobs) == 2
    assert {job["TransformJobName"] for job in started} == {"photographs-1", "photographs-2"}


def test_the_jobs_say_what_sagemaker_knows(account: Any, jobs: list[dict[str, Any]]) -> None:
    shape = account.meta.service_model.operation_model("CreateTransformJob").input_shape

    assert [unknown_choices(job, shape) for job in jobs] == [[], []]
    for job in jobs:
        assert job["MaxConcurrentTransforms"] * job["MaxPayloadInMB"] <= 100
