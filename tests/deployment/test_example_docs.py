"""The commands of docs/examples.md, word for word, in moto's AWS."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from aws_account import IMAGE, ROLE, Deploy
from aws_models import complaints
from faults import Weather

import bees
import bulk
import unet
from deployment.plan.calls import Call

ROOT = Path(__file__).parents[2]

PAGE = (ROOT / "docs/examples.md").read_text("utf-8")

LINES = re.findall(r"^    plumbline deploy ((?:.*\\\n)*.*)$", PAGE, re.MULTILINE)

SAID = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)

MADE_UP = {"URI": IMAGE, "ROLE": ROLE}

FEW = 6
"""Pictures of each example."""


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder as the examples leave it, but for what they learn."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(ROOT / "model")
    for example in (bees, bulk, unet):
        out = tmp_path / "build" / example.__name__
        out.mkdir(parents=True)
        example.write_data(out, FEW)


@pytest.mark.usefixtures("examples")
def test_each_job_of_an_example_can_be_shown(deploy: Deploy, studying: Weather) -> None:
    asked, said = {}, {}
    for line in LINES:
        words = [MADE_UP.get(word, word) for word in shlex.split(line.replace("\\\n", ""))]
        done = deploy(*words)
        assert (line, done.exit_code) == (line, 0), done.stderr
        calls = json.loads(done.stdout)["calls"]
        assert [call for call in studying.calls if call.changes] == []
        name = tuple(words[:2])
        said[name] = done.stderr
        asked[name] = next(each for each in calls if each["operation"].endswith("Job"))
        [service, operation, parameters] = (
            asked[name][key] for key in ("service", "operation", "parameters")
        )
        assert complaints(Call(service, operation, parameters)) == []
    assert [*asked] == [
        ("train", "bees"),
        ("search", "bees"),
        ("train", "unet"),
        ("train", "bulk"),
    ]
    channels = {
        name: [each["ChannelName"] for each in call["parameters"].get("InputDataConfig", ())]
        for name, call in asked.items()
    }
    assert channels["train", "bees"] == [
        *("train", "train_pictures"),
        *("validation", "validation_pictures"),
    ]
    assert channels["train", "unet"] == [
        *("train", "train_annotation", "validation", "validation_annotation"),
        "code",
    ]
    [shown] = SAID
    told = said["train", "bees"].replace("python deploy.py", "plumbline deploy")
    for sentence in shown.splitlines():
        assert sentence in told.splitlines()


@pytest.mark.parametrize("example", [bees, bulk])
def test_the_hyperparameters_are_those_of_the_example(example: object) -> None:
    name = example.__name__  # type: ignore[attr-defined]
    settings = {**example.SETTINGS, "epochs": None}  # type: ignore[attr-defined]
    [line] = [each for each in LINES if each.startswith(f"train {name}")]
    given = dict(re.findall(r"--set (\w+)=(\S+)", line))
    assert set(given) == set(settings) - {"class_names"}
    for key in given.keys() - {"epochs"}:
        assert given[key] == str(settings[key])
