"""The README's deployment, word for word, against moto's AWS."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

README = Path(__file__).parents[2] / "README.md"

BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `make demo` leaves it, and an AWS account."""
    pictures = tmp_path / "build" / "demo" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "three.png").write_bytes(b"a picture")
    (tmp_path / "build" / "demo" / "model.tar.gz").write_bytes(b"an archive")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return tmp_path


def create_bucket() -> None:
    """The bucket that the README takes for granted."""
    boto3.client("s3").create_bucket(
        Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )


@mock_aws
def test_deploying_and_deleting_leaves_no_endpoint(user_folder: Path) -> None:
    create, ask, delete = BLOCKS
    create_bucket()
    names: dict[str, object] = {}

    exec(create, names)
    sagemaker = boto3.client("sagemaker")
    described = sagemaker.describe_endpoint(EndpointName="digits")
    model = sagemaker.describe_model(ModelName="digits")
    exec(ask, names)
    exec(delete, names)

    assert described["EndpointStatus"] == "InService"
    assert model["PrimaryContainer"]["ModelDataUrl"] == "s3://my-bucket/digits/model.tar.gz"
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
