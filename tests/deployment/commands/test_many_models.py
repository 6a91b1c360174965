"""Multi-model endpoints: made, filled, asked by model, checked, and removed with all archives."""

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
from aws_account import BUCKET, Account, Deploy, inventory
from click.testing import Result
from faults import FAULTS, Died, Weather, worth_breaking
from moto import mock_aws

from deployment.proof import inspection


@pytest.fixture
def many(up: Deploy) -> Deploy:
    """`deploy.py up cats --multi-model`."""
    return lambda *more: up("--multi-model", *more, model=False)


@pytest.fixture
def add(deploy: Deploy, archive: Path) -> Deploy:
    """`deploy.py models cats --add …` without looking into archives."""

    def run(*named: str) -> Result:
        added = (word for name in named for word in ("--add", f"{name}={archive}"))
        return deploy("models", "cats", *added, "--no-check")

    return run


def test_models_come_are_listed_and_go(
    account: Account, many: Deploy, add: Deploy, deploy: Deploy
) -> None:
    made, added = many(), add("cats", "dogs-2")
    listed = deploy("models", "cats").stdout
    [model] = account("sagemaker").list_models()["Models"]
    container = account("sagemaker").describe_model(ModelName=model["ModelName"])[
        "PrimaryContainer"
    ]
    removed = deploy("models", "cats", "--remove", "cats")
    left = deploy("models", "cats").stdout

    assert (made.exit_code, added.exit_code, removed.exit_code) == (0, 0, 0), added.stderr
    assert container["Mode"] == "MultiModel"
    assert container["ModelDataUrl"] == f"s3://{BUCKET}/plumbline/cats/models/"
    assert listed == "cats: 10 bytes\ndogs-2: 10 bytes\n"
    assert left == "dogs-2: 10 bytes\n"
    assert "invoke cats PICTURE --model dogs-2" in added.stderr
    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    assert inventory(account) == {}


def test_a_request_names_its_model(
    account: Account, many: Deploy, deploy: Deploy, tmp_path: Path
) -> None:
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"a picture")
    answer = {"Body": io.BytesIO(b"[1]"), "ContentType": "application/json"}
    with Weather(stubs={"InvokeEndpoint": lambda _: answer}).prevailing() as weather:
        many()
        ended = deploy("invoke", "cats", picture, "--model", "dogs")

    assert ended.stdout == "[1]\n", ended.stderr
    [asked] = [call for call in weather.calls if call.operation == "InvokeEndpoint"]
    assert asked.parameters["TargetModel"] == "dogs.tar.gz"


@pytest.mark.parametrize(
    ("arguments", "status", "phrase"),
    [
        (("--add", "cats"), 2, "it must be like cats=cats.tar.gz"),
        (("--add", "../x=model.tar.gz"), 2, "it must be like cats=cats.tar.gz"),
        (("--add", "cats=s3://models/cats.tar.gz"), 2, "name a file of this machine"),
        (("--add", "cats=other.tar.gz"), 2, "such as cats-2, or --remove cats first"),
        (("--remove", "dogs"), 4, "has no model dogs; it has cats"),
    ],
)
def test_what_can_not_be(
    account: Account,
    many: Deploy,
    add: Deploy,
    deploy: Deploy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: tuple[str, ...],
    status: int,
    phrase: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.tar.gz").write_bytes(b"another archive")
    many()
    add("cats")
    before = inventory(account)
    ended = deploy("models", "cats", *arguments, "--no-check")

    assert ended.exit_code == status
    assert phrase in ended.stderr
    assert inventory(account) == before


def test_an_endpoint_of_one_model_has_no_folder(account: Account, up: Deploy, add: Deploy) -> None:
    up()
    ended = add("cats")

    assert ended.exit_code == 2
    assert "is no multi-model endpoint" in ended.stderr


@pytest.mark.parametrize("right", [True, False])
def test_golden_pictures_go_through_a_new_model_and_a_wrong_one_goes_again(
    account: Account,
    many: Deploy,
    deploy: Deploy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    right: bool,
) -> None:
    file = tmp_path / "dogs.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("golden/dog.png"))

    def plumbline(command: str, *_: str) -> subprocess.CompletedProcess[str]:
        said: dict[str, Any] = {"golden": {"files": ["golden/dog.png"]}}
        if command == "compare":
            said = {"pictures": ["dog.png"], "wrong": "" if right else "dog.png is off by 1."}
        return subprocess.CompletedProcess([], 0, json.dumps(said), "")

    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["TargetModel"] == "dogs.tar.gz"
        stream = io.BytesIO()
        np.save(stream, np.float32([0]))
        return {"Body": io.BytesIO(stream.getvalue())}

    monkeypatch.setattr(inspection, "plumbline", plumbline)
    with Weather(stubs={"InvokeEndpoint": answer}).prevailing():
        many()
        ended = deploy("models", "cats", "--add", f"dogs={file}")

    assert ended.exit_code == (0 if right else 7), ended.stderr
    assert ("objects" in inventory(account)) == right


@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_call_fails_the_same_command_ends_it_and_down_removes_all(
    account: Account, many: Deploy, add: Deploy, deploy: Deploy, kind: str
) -> None:
    fault, when = FAULTS[kind]
    with mock_aws(), Weather().prevailing() as fair:
        many()
        add("cats")
        complete = inventory(account)
    for number, call in worth_breaking(fair.calls, fault):
        with mock_aws():
            with Weather(**{when: {number: fault}}).prevailing(), suppress(Died):
                many()
                add("cats")
            assert many().exit_code == 0, call
            assert add("cats").exit_code == 0, call
            assert inventory(account) == complete
            assert deploy("down", "cats", "--yes", "--data").exit_code == 0
            assert inventory(account) == {}
