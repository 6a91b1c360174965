"""`plumbline recipe`: what a job would refuse is refused before there is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from plumbline.cli import main
from plumbline.training.classifiers.hyperparameter_table import TABLE
from plumbline.training.classifiers.metric_definitions import METRICS


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / "a.png")
    return tmp_path / "photos"


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["recipe", *map(str, arguments)])


def found(*arguments: object) -> Any:
    done = asked(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_recipe_layout_and_metrics_are_said(photos: Path) -> None:
    said = found("--channel", f"training={photos}", "--set", "epochs=20", "--set", "kv_store=x")

    assert said["recipe"] == "classification"
    assert said["channels"] == {"training": "a folder of pictures for each class"}
    assert said["metrics"] == dict(METRICS)
    assert said["hyperparameters"] == {"epochs": "20", "kv_store": "x"}
    assert said["epochs"] == 20
    assert said["warnings"] == ["kv_store is ignored: a job has one machine."]
    assert "recipe: classification" in asked("--channel", f"training={photos}").stdout


def test_data_in_s3_is_not_looked_at() -> None:
    said = found("--channel", "training=s3://pictures/here/")

    assert said["channels"] == {}
    assert str(said["epochs"]) == TABLE["epochs"].default


def test_values_of_a_search_are_read_one_by_one() -> None:
    channel = ("--channel", "training=s3://pictures/here/")
    tried = ("learning_rate=1e-4", "learning_rate=0.1", "batch_size=8", "optimizer=adam")

    said = found(*channel, *(word for each in tried for word in ("--try", each)))

    assert said["tried"] == {
        "learning_rate": {"1e-4": "float", "0.1": "float"},
        "batch_size": {"8": "int"},
        "optimizer": {"adam": "str"},
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "epoch=20"), "there is no epoch (did you mean epochs?)"),
        (("--set", "epochs=many"), "epochs=many must be a whole number from 1 to 100000"),
        (("--try", "learning_rat=1"), "did you mean learning_rate?"),
        (("--try", "optimizer=adamm"), "did you mean adam?"),
        (("--set", "recipe=cooking"), "There is no recipe cooking; known are"),
    ],
)
def test_what_a_job_would_refuse_is_refused(
    arguments: tuple[str, ...], words: str, photos: Path
) -> None:
    done = asked("--channel", f"training={photos}", *arguments)

    assert done.exit_code == 1
    assert words in done.stderr


def test_a_folder_without_labelled_pictures_is_refused(tmp_path: Path) -> None:
    done = asked("--channel", f"training={tmp_path}")

    assert done.exit_code == 1
    assert "The channel training holds no labelled pictures" in done.stderr
