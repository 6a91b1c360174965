"""`deploy.py search`: many jobs, the best of which counts, in moto's AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_account import BUCKET, IMAGE, ROLE, Account, Deploy, inventory
from aws_models import complaints
from faults import Weather
from learning import TRIAL, School

from deployment.plan.calls import Call


def asked(weather: Weather) -> Any:
    """What the only search was asked for."""
    [call] = [each for each in weather.calls if each.operation == "CreateHyperParameterTuningJob"]
    assert complaints(Call(call.service, call.operation, call.parameters)) == []
    return call.parameters


def test_the_best_job_is_said_and_can_be_deployed(
    seek: Deploy, deploy: Deploy, school: School, studying: Weather, account: Account
) -> None:
    ended = seek("--jobs", 4, "--parallel", 2, "--follow", "--set", "epochs=5")
    shown = deploy("search", "cats", "--status")
    up = deploy("search", "cats", "--up", "--no-check")

    assert ended.exit_code == 0, ended.stderr
    [name] = school.searches
    told = asked(studying)
    config = told["HyperParameterTuningJobConfig"]
    assert config["Strategy"] == "Bayesian"
    assert config["HyperParameterTuningJobObjective"] == {
        "Type": "Maximize",
        "MetricName": "validation:accuracy",
    }
    assert config["ResourceLimits"] == {
        "MaxNumberOfTrainingJobs": 4,
        "MaxParallelTrainingJobs": 2,
    }
    assert config["ParameterRanges"] == {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [
            {
                "Name": "learning_rate",
                "MinValue": "1e-4",
                "MaxValue": "1e-1",
                "ScalingType": "Logarithmic",
            }
        ],
        "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["adam", "sgd"]}],
    }
    assert told["TrainingJobDefinition"]["StaticHyperParameters"] == {"epochs": "5"}
    assert "best validation:accuracy 0.75 with learning_rate=0.01" in ended.stderr
    assert f"{name}-{TRIAL}: Completed" in shown.stdout
    assert up.exit_code == 0, up.stderr
    [model] = [each.parameters for each in studying.calls if each.operation == "CreateModel"]
    assert f"{name}-{TRIAL}/output/model.tar.gz" in model["PrimaryContainer"]["ModelDataUrl"]
    assert inventory(account)["endpoints"] == ["cats"]


def test_the_best_may_be_a_job_that_the_search_ended_early(
    seek: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    seek("--early-stop", "--follow")
    [job] = school.jobs.values()
    job.training_job_status = "Stopped"
    ended = deploy("search", "cats", "--follow", "--up", "--no-check")

    assert ended.exit_code == 0, ended.stderr
    config = asked(studying)["HyperParameterTuningJobConfig"]
    assert config["TrainingJobEarlyStoppingType"] == "Auto"
    assert "CreateEndpoint" in {call.operation for call in studying.calls}


def test_whole_numbers_are_searched_as_such(seek: Deploy, studying: Weather) -> None:
    seek("--range", "batch_size=8..6.4e1", "--range", "momentum=0..0.9:linear")

    ranges = asked(studying)["HyperParameterTuningJobConfig"]["ParameterRanges"]
    [whole] = ranges["IntegerParameterRanges"]
    assert (whole["Name"], whole["MinValue"], whole["MaxValue"]) == ("batch_size", "8", "64")
    assert [each["Name"] for each in ranges["ContinuousParameterRanges"]] == [
        "learning_rate",
        "momentum",
    ]


def test_hyperband_knows_the_most_epochs(seek: Deploy, studying: Weather) -> None:
    seek("--strategy", "hyperband")

    told = asked(studying)
    config = told["HyperParameterTuningJobConfig"]
    assert config["StrategyConfig"]["HyperbandStrategyConfig"] == {
        "MinResource": 1,
        "MaxResource": 30,
    }
    assert config["TrainingJobEarlyStoppingType"] == "Off"
    assert told["TrainingJobDefinition"]["StaticHyperParameters"] == {"epochs": "30"}


def test_a_grid_has_as_many_jobs_as_combinations(
    deploy: Deploy, seek: Deploy, studying: Weather, photos: Path
) -> None:
    refused = seek("--strategy", "grid")
    chosen = ("--choose", "optimizer=adam,sgd", "--choose", "batch_size=8,16,32")
    ended = deploy(
        *("search", "cats", "--data", photos, "--image", IMAGE, "--role", ROLE),
        *("--strategy", "grid", *chosen, "--objective", "validation:loss"),
    )

    assert refused.exit_code == 2
    assert "takes no --range" in refused.stderr
    assert ended.exit_code == 0, ended.stderr
    config = asked(studying)["HyperParameterTuningJobConfig"]
    assert config["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 6
    assert config["HyperParameterTuningJobObjective"]["Type"] == "Minimize"


def test_the_ceiling_counts_all_jobs(seek: Deploy, studying: Weather) -> None:
    shown = seek("--jobs", 10, "--max-runtime", "3h", "--dry-run")

    assert shown.exit_code == 0, shown.stderr
    assert "At most 10 jobs × 3 h × ml.c7i.4xlarge = 30 instance hours" in shown.stderr
    assert json.loads(shown.stdout)["calls"][-1]["operation"] == "CreateHyperParameterTuningJob"


def test_jobs_of_a_search_share_no_checkpoint(
    seek: Deploy, studying: Weather, school: School, tmp_path: Path
) -> None:
    seek("--spot")
    place = asked(studying)["TrainingJobDefinition"]["CheckpointConfig"]["S3Uri"]
    [name] = school.searches
    assert place == f"s3://{BUCKET}/plumbline/cats/checkpoints/{name}"  # a folder for each in it

    studying.calls.clear()
    school.searches.clear()
    (tmp_path / "train.py").write_text("pass")
    found = ("--script", tmp_path / "train.py", "--metric", "good=good: (.*)")
    ended = seek("--spot", *found, "--objective", "good")

    assert ended.exit_code == 0, ended.stderr
    assert "CheckpointConfig" not in asked(studying)["TrainingJobDefinition"]
    assert "would share the checkpoints of a script" in ended.stderr


def test_a_search_without_a_good_job_says_how_its_jobs_failed(
    seek: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    school.end, school.reason = "Failed", "AlgorithmError: no memory, exit code: 137"
    ended = seek("--follow", "--up")
    shown = deploy("search", "cats", "--status")

    for each in (ended, shown):
        assert each.exit_code == 8
        assert "no memory, exit code: 137" in each.stderr
    assert "CreateEndpoint" not in {call.operation for call in studying.calls}


def test_a_search_is_stopped_and_removed(
    seek: Deploy, deploy: Deploy, school: School, studying: Weather, account: Account
) -> None:
    seek()
    shown = deploy("search", "cats", "--stop", "--dry-run")
    stopped = deploy("search", "cats", "--stop")
    again = deploy("search", "cats", "--stop")
    school.searches.clear()
    school.jobs.clear()
    seek("--set", "epochs=2")
    removed = deploy("down", "cats", "--yes", "--data")

    assert json.loads(shown.stdout)["calls"][0]["operation"] == "StopHyperParameterTuningJob"
    assert stopped.exit_code == 0, stopped.stderr
    assert again.exit_code == 4
    assert "No search of cats is at work" in again.stderr
    assert removed.exit_code == 0, removed.stderr
    assert "Nothing of cats is left." in removed.stderr
    assert inventory(account) == {}
    assert school.searches == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--range", "learning_rat=1..2"), "did you mean learning_rate?"),
        (("--range", "network=1..2"), "it is no number; --choose network="),
        (("--range", "momentum=0..2"), "momentum=2 must be a number from 0 to 0.9999"),
        (("--choose", "fit=stretched,crop"), "did you mean stretch?"),
        (("--set", "optimizer=adam"), "optimizer has a value by --set, and is searched"),
        (("--choose", "learning_rate=1,2"), "learning_rate is searched twice"),
        (("--objective", "accuracy"), "the metrics of this job are train:accuracy"),
        (("--strategy", "hyperband", "--early-stop"), "leave out --early-stop"),
        (("--jobs", 1), "--parallel 2 is more than --jobs 1"),
    ],
)
def test_what_could_not_be_searched_is_refused_at_once(
    more: tuple[object, ...], words: str, seek: Deploy, studying: Weather
) -> None:
    ended = seek(*more)

    assert ended.exit_code == 2
    assert words in ended.stderr
    assert [call for call in studying.calls if call.changes] == []


def test_a_long_name_is_none_for_a_search(deploy: Deploy, account: Account, photos: Path) -> None:
    needed = ("--data", photos, "--image", IMAGE, "--role", ROLE)
    ended = deploy("search", "c" * 20, *needed, "--choose", "optimizer=adam,sgd")

    assert ended.exit_code == 2
    assert "the name of a search 19 at most" in ended.stderr
