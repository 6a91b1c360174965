"""Golden pictures through an endpoint that changes: a wrong one takes it back."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aws_account import Account, Deploy, runs
from faults import Died, Fault, Weather, died, lost, refused
from rolling import Rolling

from deployment.proof import golden, inspection


@dataclass
class Container:
    """Answers rightly, or wrongly."""

    wrong: bool = False

    def __call__(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        stream = io.BytesIO()
        np.save(stream, np.float32([self.wrong]))
        return {"Body": io.BytesIO(stream.getvalue())}


@pytest.fixture
def container() -> Container:
    """What answers."""
    return Container()


@pytest.fixture(autouse=True)
def answering(weather: Weather, container: Container) -> None:
    """What moto lacks: a container behind the endpoint."""
    weather.stubs["InvokeEndpoint"] = container


@pytest.fixture
def better(tmp_path: Path) -> Path:
    """An archive with a golden picture."""
    file = tmp_path / "better.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("golden/cat.png"))
    return file


@pytest.fixture(autouse=True)
def plumbline(sound: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plumbline's command line, as far as it is asked here: an answer of 0 is right."""

    def run(command: str, _file: str, *more: str) -> subprocess.CompletedProcess[str]:
        said: dict[str, Any] = {"golden": {"files": ["golden/cat.png"]}}
        if command == "compare":
            wrong = bool(np.load(Path(more[0]) / "cat.png.npy")[0])
            said = {"pictures": ["cat.png"], "wrong": "cat.png is off by 1." if wrong else ""}
        return subprocess.CompletedProcess([], 0, json.dumps(said), "")

    monkeypatch.setattr(inspection, "plumbline", run)


@pytest.fixture
def change(deploy: Deploy, better: Path) -> Deploy:
    """`deploy.py update cats` with that archive, its golden pictures asked for."""
    return lambda *more: deploy("update", "cats", "--model", better, *more)


def test_right_answers_are_asked_for_while_it_bakes_and_at_the_end(
    account: Account, up: Deploy, change: Deploy, weather: Weather, sagemaker: Rolling
) -> None:
    up()
    before = runs(account)
    sagemaker.looks = 4
    ended = change()

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("came out right through the endpoint") == 2
    assert runs(account) != before
    assert not sagemaker.told


def test_wrong_answers_while_it_bakes_let_sagemaker_go_back(
    account: Account,
    up: Deploy,
    change: Deploy,
    weather: Weather,
    sagemaker: Rolling,
    container: Container,
) -> None:
    up()
    before = runs(account)
    sagemaker.looks, container.wrong = 4, True
    ended = change()

    assert ended.exit_code == 7
    assert "cat.png is off by 1." in ended.stderr
    assert f"SageMaker rolled back to {before}" in ended.stderr
    assert runs(account) == before
    assert [each.operation for each in weather.calls].count("UpdateEndpoint") == 1
    assert len(account("sagemaker").list_endpoint_configs()["EndpointConfigs"]) == 1


def test_answers_that_could_not_be_compared_take_nothing_back(
    account: Account, up: Deploy, change: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    before, run = runs(account), inspection.plumbline

    def crash(command: str, *more: str) -> subprocess.CompletedProcess[str]:
        if command == "compare":
            return subprocess.CompletedProcess([], 1, "", "MemoryError")
        return run(command, *more)

    with monkeypatch.context() as patch:
        patch.setattr(inspection, "plumbline", crash)
        broken = change()
    came = runs(account)
    again = change()

    assert broken.exit_code == 2
    assert "The same command goes on from here" in broken.stderr
    assert came != before
    assert again.exit_code == 0, again.stderr
    assert runs(account) == came
    assert not account("cloudwatch").describe_alarms()["MetricAlarms"]


CASES: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {
    "a canary": (("--count", 4), ("--canary", "25%")),
    "serverless": (("--serverless", 2048), ()),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_answers_at_the_end_let_deploy_go_back(
    account: Account, up: Deploy, change: Deploy, container: Container, case: str
) -> None:
    kind, steps = CASES[case]
    up(*kind)
    before = runs(account)
    container.wrong = True
    ended = change(*steps)

    assert ended.exit_code == 7
    assert f"The endpoint is back on {before}." in ended.stderr
    assert runs(account) == before
    assert len(account("sagemaker").list_models()["Models"]) == 1
    assert not account("cloudwatch").describe_alarms()["MetricAlarms"]


def test_wrong_answers_are_not_missed_where_the_first_command_was_killed(
    account: Account, up: Deploy, change: Deploy, container: Container, weather: Weather
) -> None:
    up("--count", 4)
    before = runs(account)
    container.wrong = True
    weather.before["InvokeEndpoint"] = died
    with suppress(Died):
        change("--canary", "25%")
    came = runs(account)
    del weather.before["InvokeEndpoint"]

    ended = change("--canary", "25%")

    assert came != before
    assert ended.exit_code == 7
    assert runs(account) == before


def test_what_ran_from_the_beginning_has_no_way_back(
    account: Account, up: Deploy, change: Deploy, better: Path, container: Container
) -> None:
    up("--model", better, model=False)
    container.wrong = True
    ended = change()

    assert ended.exit_code == 7
    assert "There is no configuration to roll back to" in ended.stderr


def test_an_endpoint_that_can_not_be_asked_meanwhile_is_asked_at_the_end(
    account: Account, up: Deploy, change: Deploy, weather: Weather, sagemaker: Rolling
) -> None:
    up()
    sagemaker.looks = 4
    first = iter([refused("ValidationError", "No such variant.")()])
    weather.before["InvokeEndpoint"] = lambda: next(first, None)
    ended = change()

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("came out right through the endpoint") == 1


LOST: dict[str, Fault] = {
    "no answer": lost,
    "HTTP 503": refused("ServiceUnavailable", "Try again.", 503),
    "throttled": refused("ThrottlingException", "Rate exceeded"),
}


@pytest.mark.parametrize("case", LOST)
def test_lost_answers_are_asked_for_again_while_it_bakes(
    account: Account, up: Deploy, change: Deploy, weather: Weather, sagemaker: Rolling, case: str
) -> None:
    up()
    sagemaker.looks = 12
    answers = iter([LOST[case]] * 3)

    def ask() -> Any:
        fault = next(answers, None)
        return fault and fault()

    weather.before["InvokeEndpoint"] = ask
    ended = change()

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("could not be asked yet, and will be again") == 1
    assert ended.stderr.count("came out right through the endpoint") == 2


def test_an_alarm_that_aws_did_not_hear_is_raised_again(
    account: Account,
    up: Deploy,
    change: Deploy,
    weather: Weather,
    sagemaker: Rolling,
    container: Container,
) -> None:
    up()
    before = runs(account)
    sagemaker.looks, container.wrong = 12, True
    said = iter([LOST["HTTP 503"]()] * 2)
    weather.before["PutMetricData"] = lambda: next(said, None)
    ended = change()

    assert ended.exit_code == 7
    assert f"SageMaker rolled back to {before}" in ended.stderr
    assert [each.operation for each in weather.calls].count("InvokeEndpoint") == 1
    assert runs(account) == before


def test_a_busy_endpoint_is_asked_again_and_not_taken_for_a_wrong_one(
    up: Deploy, change: Deploy, weather: Weather, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "PAUSE", 0.0)
    up()
    busy = refused("ModelError", "Busy.", 424, OriginalStatusCode=503, OriginalMessage="Busy.")
    answers = iter([busy()] * 3)
    weather.before["InvokeEndpoint"] = lambda: next(answers, None)
    ended = change()
    weather.calls.clear()
    weather.before["InvokeEndpoint"] = busy
    never = change()

    assert ended.exit_code == 0, ended.stderr
    assert never.exit_code == 4
    assert not [each for each in weather.calls if each.operation == "UpdateEndpoint"]
