"""`update` and `rollback` of an inference component: other copies, proven, and the way back."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from aws_account import IMAGE, REGION, Account, Deploy, inventory
from faults import FAULTS, Died, Weather, worth_breaking
from hosting import Hosting
from moto import mock_aws

from deployment.proof import inspection

OPTIONS = ("--component", 2048, "--cpus", 0.5, "--env", "PLUMBLINE_SLOTS=2", "--tag", "team=vision")

SCALED = ("--autoscale", "0:2", "--target", 5)

OTHER = IMAGE.replace("0" * 64, "1" * 64)


@pytest.fixture
def hosting() -> Hosting:
    """SageMaker, as far as it has inference components."""
    return Hosting(looks=3)


@pytest.fixture
def weather(account: Account, hosting: Hosting) -> Any:
    """All calls, with what moto lacks."""
    with Weather(stubs=hosting.stubs).prevailing() as weather:
        yield weather


def component(hosting: Hosting) -> Mapping[str, Any]:
    """The only one."""
    [found] = hosting.components.values()
    return found


def model(account: Account, hosting: Hosting) -> dict[str, Any]:
    """The model that its copies run."""
    name = component(hosting)["Specification"]["ModelName"]
    return dict(account("sagemaker").describe_model(ModelName=name))


def there(account: Account, hosting: Hosting) -> dict[str, list[str]]:
    """All that is there."""
    return {**inventory(account), **hosting.inventory()}


@pytest.mark.usefixtures("weather")
def test_its_copies_get_another_archive_and_all_else_stays(
    account: Account, up: Deploy, change: Deploy, better: Path, hosting: Hosting
) -> None:
    up(*OPTIONS, *SCALED)
    before, found = model(account, hosting), there(account, hosting)

    ended = change("--model", better)

    assert ended.exit_code == 0, ended.stderr
    after = model(account, hosting)
    container, old = after["PrimaryContainer"], before["PrimaryContainer"]
    assert container["ModelDataUrl"] != old["ModelDataUrl"]
    assert {**container, "ModelDataUrl": ""} == {**old, "ModelDataUrl": ""}
    assert component(hosting)["Specification"]["ComputeResourceRequirements"] == {
        "NumberOfCpuCoresRequired": 0.5,
        "MinMemoryRequiredInMb": 2048,
    }
    names = sorted([before["ModelName"], after["ModelName"]])
    changed = {**there(account, hosting), "objects": None}
    assert changed == {**found, "models": names, "objects": None}
    assert f"rollback cats --region {REGION}` rolls back to {before['ModelName']}" in ended.stderr


@pytest.mark.usefixtures("weather")
def test_the_way_back_and_what_it_leaves(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, better: Path, hosting: Hosting
) -> None:
    up(*OPTIONS)
    before, found = model(account, hosting), there(account, hosting)
    change("--model", better)

    ended = deploy("rollback", "cats")

    assert ended.exit_code == 0, ended.stderr
    assert model(account, hosting)["ModelName"] == before["ModelName"]
    assert {**there(account, hosting), "objects": None} == {**found, "objects": None}
    again = deploy("rollback", "cats")
    assert again.exit_code == 4
    assert "There is nothing to roll back to" in again.stderr


@pytest.mark.usefixtures("weather")
def test_only_the_last_one_before_is_kept(
    account: Account, up: Deploy, change: Deploy, hosting: Hosting
) -> None:
    up(*OPTIONS)
    names = []
    for slots in "345":
        change("--env", f"PLUMBLINE_SLOTS={slots}")
        names.append(model(account, hosting)["ModelName"])

    assert there(account, hosting)["models"] == sorted(names[1:])


@pytest.mark.usefixtures("weather")
def test_the_same_again_changes_nothing(
    up: Deploy, change: Deploy, better: Path, weather: Weather
) -> None:
    up(*OPTIONS)
    change("--model", better)
    before = len(weather.calls)

    ended = change("--model", better)

    assert ended.exit_code == 0, ended.stderr
    assert "Nothing had to be changed." in ended.stderr
    assert not [call for call in weather.calls[before:] if call.changes]


@pytest.mark.usefixtures("weather")
def test_image_copies_and_tags_can_be_changed(
    account: Account, up: Deploy, change: Deploy, hosting: Hosting
) -> None:
    up(*OPTIONS)

    ended = change("--image", OTHER, "--count", 3, "--tag", "team=birds")

    assert ended.exit_code == 0, ended.stderr
    assert model(account, hosting)["PrimaryContainer"]["Image"] == OTHER
    assert component(hosting)["RuntimeConfig"]["DesiredCopyCount"] == 3
    client = account("sagemaker")
    arn = client.describe_endpoint(EndpointName="cats")["EndpointArn"]
    tags = {each["Key"]: each["Value"] for each in client.list_tags(ResourceArn=arn)["Tags"]}
    assert tags["team"] == "birds"


@pytest.mark.usefixtures("weather")
def test_where_no_copy_is_one_is_started(
    up: Deploy, change: Deploy, better: Path, hosting: Hosting
) -> None:
    up(*OPTIONS, *SCALED)
    hosting.components["cats"]["RuntimeConfig"] = {"DesiredCopyCount": 0, "CurrentCopyCount": 0}

    ended = change("--model", better)

    assert ended.exit_code == 0, ended.stderr
    assert component(hosting)["RuntimeConfig"]["DesiredCopyCount"] == 1


@pytest.mark.usefixtures("weather")
def test_sagemaker_going_back_is_told_with_its_reason(
    account: Account, up: Deploy, change: Deploy, better: Path, hosting: Hosting
) -> None:
    up(*OPTIONS)
    before, found = model(account, hosting), there(account, hosting)
    hosting.goes_back = "The copies did not pass the ping health check."

    ended = change("--model", better)

    assert ended.exit_code == 6
    assert f"SageMaker rolled back to {before['ModelName']}" in ended.stderr
    assert "did not pass the ping health check." in ended.stderr
    assert {**there(account, hosting), "objects": None} == {**found, "objects": None}


REFUSED = {
    ("--instance", "ml.c5.xlarge"): "--instance: cats runs an inference component",
    ("--variant", "b=s3://a/b.tar.gz"): "--variant: cats runs",
    ("--autoscale", "none"): "--autoscale none: cats runs",
    ("--env", "A=1", "--canary", "10%"): "and not for inference components",
}


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_what_comes_with_the_endpoint_is_refused(
    up: Deploy, change: Deploy, weather: Weather, options: tuple[str, ...]
) -> None:
    up(*OPTIONS)
    before = len(weather.calls)

    ended = change(*options)

    assert ended.exit_code == 2
    assert REFUSED[options] in " ".join(ended.stderr.split())
    assert not [call for call in weather.calls[before:] if call.changes]


@pytest.mark.parametrize("command", ["update", "rollback"])
def test_a_dry_run_changes_nothing(
    up: Deploy, change: Deploy, deploy: Deploy, weather: Weather, command: str
) -> None:
    up(*OPTIONS)
    change("--env", "A=1")
    before = len(weather.calls)

    options = ("--env", "A=2") if command == "update" else ()
    ended = deploy(command, "cats", *options, "--dry-run")

    assert ended.exit_code == 0, ended.stderr
    assert "UpdateInferenceComponent" in ended.stdout
    assert not [call for call in weather.calls[before:] if call.changes]


@pytest.mark.usefixtures("weather")
def test_its_template_is_that_of_the_endpoint_as_it_would_be(up: Deploy, change: Deploy) -> None:
    up(*OPTIONS, *SCALED)

    ended = change("--env", "A=2", "--template")

    assert ended.exit_code == 0, ended.stderr
    resources = yaml.safe_load(ended.stdout)["Resources"].values()
    kinds = [each["Type"] for each in resources]
    assert "AWS::SageMaker::InferenceComponent" in kinds
    assert "AWS::ApplicationAutoScaling::ScalableTarget" in kinds
    [made] = [each for each in resources if each["Type"] == "AWS::SageMaker::Model"]
    assert made["Properties"]["PrimaryContainer"]["Environment"]["A"] == "2"


@pytest.fixture
def golden_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive with a golden picture, which an answer of 0 is right for."""

    def run(command: str, _file: str, *more: str) -> subprocess.CompletedProcess[str]:
        said: dict[str, Any] = {"golden": {"files": ["golden/cat.png"]}}
        if command == "compare":
            wrong = bool(np.load(Path(more[0]) / "cat.png.npy")[0])
            said = {"pictures": ["cat.png"], "wrong": "cat.png is off by 1." if wrong else ""}
        return subprocess.CompletedProcess([], 0, json.dumps(said), "")

    monkeypatch.setattr(inspection, "plumbline", run)
    file = tmp_path / "golden.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("golden/cat.png"))
    return file


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_its_golden_pictures_are_asked_for_and_wrong_ones_take_it_back(
    account: Account,
    up: Deploy,
    deploy: Deploy,
    golden_archive: Path,
    *,
    hosting: Hosting,
    weather: Weather,
    wrong: bool,
) -> None:
    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["InferenceComponentName"] == "cats"
        stream = io.BytesIO()
        np.save(stream, np.float32([wrong]))
        return {"Body": io.BytesIO(stream.getvalue())}

    weather.stubs["InvokeEndpoint"] = answer
    up(*OPTIONS)
    before, found = model(account, hosting)["ModelName"], there(account, hosting)

    ended = deploy("update", "cats", "--model", golden_archive)

    if wrong:
        assert ended.exit_code == 7, ended.stderr
        assert f"cat.png is off by 1. The endpoint is back on {before}." in ended.stderr
        assert model(account, hosting)["ModelName"] == before
        assert {**there(account, hosting), "objects": None} == {**found, "objects": None}
    else:
        assert ended.exit_code == 0, ended.stderr
        assert "1 golden pictures came out right through the endpoint." in ended.stderr
        assert model(account, hosting)["ModelName"] != before


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_the_same_command_goes_on_and_rollback_goes_back(
    account: Account, up: Deploy, change: Deploy, deploy: Deploy, better: Path, kind: str
) -> None:
    fault, when = FAULTS[kind]
    usual = Hosting()
    with mock_aws(), Weather(stubs=usual.stubs).prevailing() as fair:
        up(*OPTIONS)
        before = there(account, usual)
        begun = len(fair.calls)
        assert change("--model", better).exit_code == 0
        after, calls = there(account, usual), fair.calls[begun:]
    for number, call in worth_breaking(calls, fault):
        with mock_aws():
            hosting = Hosting()
            with Weather(stubs=hosting.stubs).prevailing():
                up(*OPTIONS)
            broken = Weather(**{when: {number: fault}}, stubs=hosting.stubs)
            with broken.prevailing(), suppress(Died):
                change("--model", better)
            with Weather(stubs=hosting.stubs).prevailing():
                ended = change("--model", better)
                assert ended.exit_code == 0, (call, ended.stderr)
                assert there(account, hosting) == after, call
                back = deploy("rollback", "cats")
            assert back.exit_code == 0, (call, back.stderr)
            found = {**there(account, hosting), "objects": None}
            assert found == {**before, "objects": None}, call
