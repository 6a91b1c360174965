"""Inference components: made, asked, scaled to zero copies, and removed before their endpoint."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aws_account import Account, Deploy, inventory
from faults import FAULTS, Died, Weather, worth_breaking
from hosting import Hosting
from moto import mock_aws

OPTIONS = ("--component", 2048, "--cpus", 0.5, "--autoscale", "0:2", "--target", 5)


@pytest.fixture
def hosting() -> Hosting:
    """SageMaker, as far as it has inference components."""
    return Hosting()


@pytest.fixture
def weather(account: Account, hosting: Hosting) -> Weather:
    """All calls, with what moto lacks."""
    return Weather(stubs=hosting.stubs)


def there(account: Account, hosting: Hosting) -> dict[str, list[str]]:
    """All that is there."""
    return {**inventory(account), **hosting.inventory()}


def test_it_is_made_with_its_copies_scaling_to_zero_and_waking(
    account: Account, up: Deploy, deploy: Deploy, hosting: Hosting, weather: Weather
) -> None:
    with weather.prevailing():
        ended = up(*OPTIONS)
        described = deploy("status", "cats").stdout

    assert ended.exit_code == 0, ended.stderr
    made = {call.operation: call.parameters for call in weather.calls}
    [variant] = made["CreateEndpointConfig"]["ProductionVariants"]
    assert "ModelName" not in variant
    assert variant["ManagedInstanceScaling"]["MinInstanceCount"] == 0
    assert made["CreateInferenceComponent"]["Specification"]["ComputeResourceRequirements"] == {
        "NumberOfCpuCoresRequired": 0.5,
        "MinMemoryRequiredInMb": 2048,
    }
    target = hosting.targets["inference-component/cats"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 2)
    assert target["ScalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    [alarm] = account("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["MetricName"] == "NoCapacityInvocationFailures"
    assert alarm["AlarmActions"] == [hosting.policies["plumbline/cats/all/wake"]["PolicyARN"]]
    assert "inference component cats: InService, 1 copies" in described
    assert "cats has 0 to 2 copies, by load" in described


def test_it_is_asked_by_its_name(
    account: Account, up: Deploy, deploy: Deploy, weather: Weather, tmp_path: Path
) -> None:
    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        said = json.dumps([asked["InferenceComponentName"], asked["Body"].decode()])
        return {"Body": io.BytesIO(said.encode()), "ContentType": "application/json"}

    picture = tmp_path / "cat.png"
    picture.write_bytes(b"a picture")
    weather.stubs["InvokeEndpoint"] = answer
    with weather.prevailing():
        up(*OPTIONS)
        ended = deploy("invoke", "cats", picture)

    assert ended.exit_code == 0, ended.stderr
    assert json.loads(ended.stdout) == ["cats", "a picture"]


def test_an_endpoint_that_is_there_gets_none(
    account: Account, up: Deploy, weather: Weather
) -> None:
    with weather.prevailing():
        up()
        ended = up("--component", 2048)

    assert ended.exit_code == 4
    assert "only when it is made: remove it with `python deploy.py down cats` first" in ended.stderr


INSTEAD = {
    ("weights", "a=1"): "Its copies share the requests evenly: ",
    ("models",): "`python deploy.py up NAME … --multi-model` makes one",
    ("drift",): "plumbline drift model.tar.gz captured`",
    (
        "transform",
        "s3://pictures/photos/",
        "s3://pictures/answers/",
    ): "deploy.py transform cats-batch S3_IN S3_OUT",
}


@pytest.mark.usefixtures("account", "pictures")
@pytest.mark.parametrize("command", INSTEAD, ids=" ".join)
def test_what_it_can_not_do_is_said_with_what_helps(
    up: Deploy, deploy: Deploy, weather: Weather, command: tuple[str, ...]
) -> None:
    with weather.prevailing():
        up("--component", 2048)
        before = len(weather.calls)
        ended = deploy(command[0], "cats", *command[1:])

    assert ended.exit_code == 4
    said = " ".join(ended.stderr.split())
    assert "cats runs an inference component, and this command knows production variants" in said
    assert INSTEAD[command] in said
    assert not [call for call in weather.calls[before:] if call.changes]


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_up_goes_on_and_down_removes_all(
    account: Account, up: Deploy, deploy: Deploy, kind: str
) -> None:
    fault, when = FAULTS[kind]
    usual = Hosting()
    with mock_aws(), Weather(stubs=usual.stubs).prevailing() as fair:
        assert up(*OPTIONS).exit_code == 0
        complete = there(account, usual)
    for number, call in worth_breaking(fair.calls, fault):
        with mock_aws():
            hosting = Hosting()
            broken = Weather(**{when: {number: fault}}, stubs=hosting.stubs)
            with broken.prevailing(), suppress(Died):
                up(*OPTIONS)
            with Weather(stubs=hosting.stubs).prevailing():
                if number % 2:
                    again = up(*OPTIONS)
                    assert again.exit_code == 0, again.stderr
                    assert there(account, hosting) == complete, call
                ended = deploy("down", "cats", "--yes", "--data")
            assert ended.exit_code == 0, ended.stderr
            assert there(account, hosting) == {}, call
