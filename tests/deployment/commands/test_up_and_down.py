"""`deploy.py up` and `down`, in moto's AWS."""

from __future__ import annotations

import json

from aws_account import BUCKET, Account, Deploy, inventory
from faults import Weather


def everything(account: Account) -> dict[str, list[str]]:
    """The names of all that SageMaker has."""
    sagemaker = account("sagemaker")
    return {
        "models": [each["ModelName"] for each in sagemaker.list_models()["Models"]],
        "configs": [
            each["EndpointConfigName"]
            for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]
        ],
        "endpoints": [each["EndpointName"] for each in sagemaker.list_endpoints()["Endpoints"]],
    }


def test_up_makes_an_endpoint_in_service(account: Account, up: Deploy) -> None:
    ended = up()

    assert ended.exit_code == 0, ended.stderr
    described = account("sagemaker").describe_endpoint(EndpointName="cats")
    assert described["EndpointStatus"] == "InService"
    assert "billed by the second" in ended.stderr


def test_up_twice_changes_nothing(account: Account, up: Deploy) -> None:
    up()
    before = everything(account)

    ended = up()

    assert ended.exit_code == 0, ended.stderr
    assert everything(account) == before
    assert "nothing was changed" in ended.stderr


def test_up_with_other_bounds_changes_the_bounds_alone(account: Account, up: Deploy) -> None:
    up("--autoscale", "1:3", "--target", 600)
    before = inventory(account)
    weather = Weather()
    with weather.prevailing():
        ended = up("--autoscale", "2:5", "--target", 600)

    assert ended.exit_code == 0, ended.stderr
    assert inventory(account) == before
    [changed] = [call for call in weather.calls if call.changes]
    assert changed.operation == "RegisterScalableTarget"
    assert (changed.parameters["MinCapacity"], changed.parameters["MaxCapacity"]) == (2, 5)
    assert "Tags" not in changed.parameters


def test_down_leaves_archives_and_says_so(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()

    ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 0, ended.stderr
    assert everything(account) == {"models": [], "configs": [], "endpoints": []}
    assert account("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert f"down cats --data --bucket {BUCKET}" in ended.stderr


def test_down_with_data_leaves_nothing(account: Account, up: Deploy, deploy: Deploy) -> None:
    up()

    ended = deploy("down", "cats", "--yes", "--data")

    assert ended.exit_code == 0, ended.stderr
    assert account("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert "Nothing of cats is left." in ended.stderr


def test_a_dry_run_asks_nothing(up: Deploy) -> None:
    ended = up("--region", "eu-central-1", "--dry-run")

    assert ended.exit_code == 0, ended.stderr
    calls = [call["operation"] for call in json.loads(ended.stdout)["calls"]]
    assert calls == [
        "CreateBucket",
        "PutObject",
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "DescribeEndpoint",
    ]
