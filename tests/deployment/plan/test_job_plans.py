"""Every planned call of training jobs and searches is one that AWS's own description allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, IMAGE, REGION, ROLE
from aws_models import complaints, service

from deployment import names
from deployment.aws import service_model
from deployment.aws.client import Aws
from deployment.errors import Misuse
from deployment.plan import search, training
from deployment.plan.calls import Call, Make, Plan, Remove, UploadFolder
from deployment.plan.job_limits import problems
from deployment.plan.resumption import resumption
from deployment.plan.search import Range, Search
from deployment.plan.state import Existing
from deployment.plan.teardown import plan_down
from deployment.plan.training import Channel, Folder, Limits, Training

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def folder(number: int) -> Folder:
    """Files of this machine."""
    return Folder({"cats/a.png": Path("a.png"), "b.png": Path("b.png")}, f"{number}" * 64, 7)


CHANNELS = {
    "here": (Channel("training", folder(1), size=7),),
    "in S3": (Channel("training", url="s3://pictures/photos/", size=3 * 1024**3),),
    "all": (
        Channel("train", folder(1), size=7),
        Channel("train_pictures", url="s3://pictures/", streamed=True),
        Channel("code", folder(2), size=7),
    ),
}

TIMES = {"plain": Limits(), "spot": Limits(3600, 7200), "warm": Limits(60, warm=1800)}

MORE: dict[str, dict[str, Any]] = {
    "least": {},
    "most": {
        "hyperparameters": {"epochs": "20", "sagemaker_program": "train.py"},
        "metrics": {"validation:accuracy": r"Validation-accuracy=([0-9.eE+-]+)"},
        "instance": "ml.g5.xlarge",
        "bucket": "my-bucket",
        "environment": {"TF_USE_LEGACY_KERAS": "1"},
        "isolated": False,
        "checkpoints": True,
        "kms_key": "arn:aws:kms:eu-central-1:123456789012:key/disks",
        "data_key": "arn:aws:kms:eu-central-1:123456789012:key/outputs",
        "tags": {"team": "vision"},
    },
}


def trainings() -> Iterator[Any]:
    """Every combination of options that AWS would take."""
    for keys in itertools.product(CHANNELS, TIMES, MORE):
        channels, times, more = keys
        made = Training("cats", REGION, ROLE, IMAGE, CHANNELS[channels], **MORE[more])
        made = replace(made, limits=TIMES[times])
        assert list(problems(made)) == []
        yield pytest.param(made, id=", ".join(keys))


TRAININGS = list(trainings())

each_training = pytest.mark.parametrize("made", TRAININGS)

SEARCHES = {
    "bayesian": Search(
        "validation:accuracy", (Range("learning_rate", "1e-4", "0.1", "Logarithmic"),)
    ),
    "random": Search(
        "validation:loss",
        (Range("layers", "18", "50", whole=True),),
        {"optimizer": ("adam", "sgd")},
        jobs=20,
        parallel=4,
        strategy="random",
        minimized=True,
        early_stop=True,
    ),
    "grid": Search("x", choices={"optimizer": ("adam", "sgd")}, jobs=2, strategy="grid"),
    "hyperband": Search(
        "x", (Range("rate", "0.1", "0.9", "ReverseLogarithmic"),), strategy="hyperband"
    ),
}


def wrong(plan: Plan) -> list[str]:
    """What AWS's descriptions say against a plan."""
    return [complaint for call in plan.calls() for complaint in complaints(call)]


@each_training
def test_every_call_of_a_job_is_one_that_aws_knows(made: Training) -> None:
    job = names.timed("c" * 45, NOW)

    assert wrong(training.plan_training(made, job)) == []
    assert wrong(training.plan_stop("cats", REGION, job)) == []
    assert names.is_timed("c" * 45, job)
    assert names.name_of(job) == "c" * 45


@pytest.mark.parametrize("searched", SEARCHES.values(), ids=SEARCHES)
@each_training
def test_every_call_of_a_search_is_one_that_aws_knows(made: Training, searched: Search) -> None:
    made = replace(made, hyperparameters={**made.hyperparameters, "epochs": "30"})
    job = names.search("c" * search.LONGEST_NAME, NOW)

    assert wrong(search.plan_search(made, searched, job)) == []
    assert wrong(search.plan_stop("cats", REGION, job)) == []
    assert names.is_search("c" * search.LONGEST_NAME, job)
    assert names.name_of(f"{job}-001-0a1b2c3d") == "c" * search.LONGEST_NAME


@pytest.mark.parametrize("option", [field.name for field in fields(Training)])
def test_there_are_jobs_with_every_option(option: str) -> None:
    given = {str(getattr(parameter.values[0], option)) for parameter in TRAININGS}

    assert len(given) > 1 or option in ("name", "region", "role", "image")


def test_there_are_searches_of_every_strategy_and_scale() -> None:
    assert {each.strategy for each in SEARCHES.values()} == set(search.STRATEGIES)
    shape = service("sagemaker").shape_for("HyperParameterScalingType")
    assert set(search.SCALES.values()) == set(shape.enum)
    strategy = service("sagemaker").shape_for("HyperParameterTuningJobStrategyType")
    assert set(search.STRATEGIES.values()) == set(strategy.enum)


def test_what_takes_it_all_away_is_known_to_aws() -> None:
    job, searched = names.timed("cats", NOW), names.search("cats", NOW)
    found = Existing(
        "cats",
        trainings=(job,),
        searches=(searched,),
        warm=(job,),
        records=(("training job", job), ("search", searched)),
        log_streams=((names.TRAINING_LOGS, f"{job}/algo-1"),),
    )
    plan = plan_down(found, REGION, data=True)

    assert wrong(plan) == []
    verbs = [step.call.operation for step in plan.steps if isinstance(step, Remove)]
    assert verbs == [
        *("StopHyperParameterTuningJob", "StopTrainingJob", "UpdateTrainingJob"),
        *("DeleteLogStream", "DeleteTrainingJob", "DeleteHyperParameterTuningJob"),
    ]


@each_training
def test_a_job_goes_on_with_what_it_had(made: Training) -> None:
    first = training.creation(made, "cats-1").parameters
    again = resumption("cats", first, "cats-2", {"MaxRuntimeInSeconds": 9000})

    assert complaints(again) == []
    changed = {key for key in first if again.parameters.get(key) != first[key]}
    assert changed - {"HyperParameters"} == {"TrainingJobName", "StoppingCondition", "Tags"}


def test_content_says_where_data_lies_and_equal_content_lies_there_once() -> None:
    made = TRAININGS[0].values[0]
    twice = (Channel("train", folder(1), size=7), Channel("validation", folder(1), size=7))
    uploads = [
        step
        for step in training.plan_training(replace(made, channels=twice), "cats-1").steps
        if isinstance(step, UploadFolder)
    ]

    [only] = uploads
    assert all(f"plumbline/cats/data/{'1' * 16}/" in key for key in only.files)


def test_the_same_request_has_the_same_mark_whatever_the_job_is_called() -> None:
    for parameter in TRAININGS:
        made = parameter.values[0]
        marks = {
            tag["Value"]
            for job in ("cats-1", "cats-2")
            for tag in training.creation(made, job).parameters["Tags"]
            if tag["Key"] == names.REQUEST
        }
        assert len(marks) == 1
    assert len({training.request(parameter.values[0]) for parameter in TRAININGS}) == len(TRAININGS)


def test_jobs_keep_their_checkpoints_apart() -> None:
    made = replace(TRAININGS[0].values[0], checkpoints=True)
    places = {
        training.creation(made, job).parameters["CheckpointConfig"]["S3Uri"]
        for job in ("cats-1", "cats-2")
    }
    assert len(places) == 2


# -- before AWS is asked --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"instance": "ml.c7i.4xlrge"}, "Did you mean ml.c7i.4xlarge?"),
        ({"metrics": {"m" * 256: "(.)"}}, "MetricDefinitions.Name 256: AWS takes 1 to 255"),
        ({"hyperparameters": {"x": "y" * 2501}}, "HyperParameters.x 2501: AWS takes 0 to 2500"),
        ({"role": f"arn:aws:iam::{ACCOUNT}:user/me"}, "RoleArn"),
    ],
)
def test_botocore_s_description_is_heeded_before_anything_is_asked(
    parameters: dict[str, Any], words: str, account: Any
) -> None:
    made = replace(TRAININGS[0].values[0], **parameters)
    plan = training.plan_training(made, "cats-1")

    with pytest.raises(Misuse) as raised:
        service_model.check(Aws(REGION), plan)
    assert words in str(raised.value)


def test_a_value_of_a_wrong_type_is_told_in_a_sentence(account: Any) -> None:
    call = Call("sagemaker", "StopTrainingJob", {"TrainingJobName": 7})
    plan = Plan("cats", REGION, (Make("x", call, training.look_at("cats-1")),))

    with pytest.raises(Misuse, match="AWS takes no such value"):
        service_model.check(Aws(REGION), plan)
