"""Training jobs that can't be: said at once, with what to do, and nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_account import ACCOUNT, BUCKET, IMAGE, REGION, ROLE, Account, Deploy, inventory
from faults import Weather, refused
from learning import School

NEEDED = ("--image", IMAGE, "--role", ROLE)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--set", "epoch=20"), "did you mean epochs?"),
        (("--set", "epochs"), "--set epochs: it must be like --set epochs=20."),
        (("--set", "epochs=0"), "epochs=0 must be a whole number from 1"),
        (("--recipe", "cooking"), "There is no recipe cooking"),
        (("--recipe", "classification", "--script", __file__), "--script or --recipe"),
        (("--script", "nowhere/train.py"), "there is no such file"),
        (("--metric", "accuracy=acc: (.*"), "no regular expression"),
        (("--metric", "accuracy=acc"), "one group in parentheses"),
        (("--instance", "ml.c7.4xlarge"), "Did you mean ml.c7i.4xlarge?"),
        (("--instance", "c7i.4xlarge"), "Did you mean ml.c7i.4xlarge?"),
        (("--max-runtime", "2"), "a number and its unit"),
        (("--max-runtime", "30s"), "from one minute to 28 days"),
        (("--max-wait", "2h"), "--max-wait goes with --spot"),
        (("--spot", "--max-wait", "1h"), "--max-wait is shorter than --max-runtime"),
        (("--spot", "--warm", "30m"), "--warm or --spot"),
        (("--warm", "7h"), "six hours at most"),
        (("--env", "1A=2"), "no name for an environment variable"),
        (("--bucket", "s3://mine"), "the name of a bucket alone"),
        (("--status", "--stop"), "one at a time"),
        (("--status",), "--data is of no use with --status"),
        (("--validation", "nowhere"), "--validation nowhere: there is no such folder"),
        (("--set", f"class_names={'a' * 2501}"), "SageMaker takes 2,500"),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_asked(
    more: tuple[str, ...], words: str, train: Deploy, studying: Weather
) -> None:
    ended = train(*more)

    assert ended.exit_code == 2, ended.stderr
    assert words in ended.stderr
    assert studying.calls == []


def test_as_much_as_fits_is_taken(train: Deploy, seek: Deploy) -> None:
    dry = ("--region", REGION, "--dry-run")
    waited = train("--spot", "--max-runtime", "1h", "--max-wait", "1h", *dry)
    together = seek("--jobs", 3, "--parallel", 3, *dry)

    assert waited.exit_code == 0, waited.stderr
    assert together.exit_code == 0, together.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--image is missing. ./build_and_push.sh"),
        (("--image", IMAGE), "--role is missing. `python deploy.py account`"),
        (NEEDED, "Say what to learn from: --data"),
        ((*NEEDED, "--data", "nowhere"), "--data nowhere: there is no such folder"),
        ((*NEEDED, "--data", "s3://UPPER/x"), "it must be like s3://my-bucket/photos/."),
        (("--image", "plumbline", "--role", ROLE, "--data", "."), "Amazon ECR only"),
        (("--image", IMAGE, "--role", "me", "--data", "."), "must be the ARN of an IAM role"),
    ],
)
def test_what_is_missing_is_named(
    arguments: tuple[str, ...], words: str, deploy: Deploy, account: Account, photos: Path
) -> None:
    given = [str(photos) if each == "." else each for each in arguments]
    ended = deploy("train", "cats", *given)

    assert ended.exit_code == 2, ended.stderr
    assert words in ended.stderr


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no labelled pictures"),
        ({"a.txt": b"x"}, "holds no labelled pictures"),
        ({"a.png": b"x"}, "holds no labelled pictures"),
        ({"a.manifest": b"{"}, "a.manifest, line 1 is not JSON"),
        ({"a.manifest": b'{"class": 1}'}, "line 1 has no 'source-ref'"),
        ({"a.manifest": b"\n"}, "a.manifest has no lines"),
        ({"a.manifest": b"\xff"}, "can't be read as UTF-8 text"),
        ({"a.manifest": b'{"source-ref": "a.png"}'}, "neither beside it nor in S3"),
        (
            {
                "a.manifest": b'{"source-ref": "s3://one/a.png"}\n{"source-ref": "s3://two/b.png"}',
            },
            "pictures in several buckets",
        ),
    ],
)
def test_data_that_holds_nothing_to_learn_from(
    files: dict[str, bytes], words: str, deploy: Deploy, studying: Weather, tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    ended = deploy("train", "cats", "--data", tmp_path, *NEEDED)

    assert ended.exit_code == 2, ended.stderr
    assert words in ended.stderr
    assert studying.calls == []


def test_code_that_is_a_whole_home_is_refused(
    train: Deploy, studying: Weather, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("pass")
    with (tmp_path / "film.mp4").open("wb") as file:
        file.truncate(101 * 1024**2)

    ended = train("--script", tmp_path / "train.py")

    assert ended.exit_code == 2
    assert "in a folder of its own" in ended.stderr


# -- what only AWS knows --------------------------------------------------------------------------


def test_data_in_another_region(deploy: Deploy, account: Account) -> None:
    place = {"LocationConstraint": "us-west-2"}
    s3 = boto3.client("s3", region_name="us-west-2")
    s3.create_bucket(Bucket="far", CreateBucketConfiguration=place)

    ended = deploy("train", "cats", "--data", "s3://far/photos/", *NEEDED)

    assert ended.exit_code == 4
    assert "The bucket far is in another region than eu-central-1." in ended.stderr


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ("s3://nowhere/photos/", 2, "There is no bucket nowhere"),
        ("s3://pictures/empty/", 4, "There is nothing under s3://pictures/empty/"),
        ("s3://pictures/x.manifest", 2, "There is no object s3://pictures/x.manifest"),
    ],
)
def test_data_that_is_not_in_s3(
    data: str, status: int, words: str, deploy: Deploy, pictures: Any
) -> None:
    ended = deploy("train", "cats", "--data", data, *NEEDED)

    assert ended.exit_code == status, ended.stderr
    assert words in ended.stderr


REFUSALS = {
    "quota": (
        refused("ResourceLimitExceeded", "The account-level limit for ml.c7i.4xlarge is 0."),
        4,
        "Service Quotas",
    ),
    "no permission": (
        refused(
            "AccessDeniedException",
            "User: me is not authorized to perform: sagemaker:CreateTrainingJob on resource: x",
        ),
        3,
        '"Action": "sagemaker:CreateTrainingJob"',
    ),
    "role not passed on": (
        refused(
            "AccessDeniedException",
            f"User: me is not authorized to perform: iam:PassRole on resource: {ROLE}",
        ),
        3,
        '"Action": "iam:PassRole"',
    ),
    "role not assumed": (
        refused("ValidationException", f"Could not assume role {ROLE}."),
        4,
        "sagemaker.amazonaws.com may assume",
    ),
    "no image": (
        refused("ValidationException", "Requested image plumbline not found."),
        4,
        "./build_and_push.sh",
    ),
    "bucket elsewhere": (
        refused("ValidationException", "The bucket x is in a different region us-west-2."),
        4,
        "must be in this region",
    ),
    "name taken": (
        refused("ResourceInUse", "Training job names must be unique within an account."),
        4,
        "another time makes another name",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_aws_refuses_is_told_with_what_to_do(
    case: str, train: Deploy, account: Account
) -> None:
    fault, status, words = REFUSALS[case]
    with Weather(before={"CreateTrainingJob": fault}).prevailing():
        ended = train()

    assert ended.exit_code == status, ended.stderr
    assert words in ended.stderr
    assert "trainings" not in inventory(account)
    assert f"data s3://{BUCKET}/plumbline/cats/data/" in ended.stderr, "what is there is named"
    assert "python deploy.py down cats --region eu-central-1 --data" in ended.stderr


def test_an_image_of_another_region_or_a_role_of_another_account(
    deploy: Deploy, account: Account, photos: Path
) -> None:
    far = IMAGE.replace(REGION, "us-west-2")
    image = deploy("train", "cats", "--data", photos, "--image", far, "--role", ROLE)
    stranger = ROLE.replace(ACCOUNT, "210987654321")
    role = deploy("train", "cats", "--data", photos, "--image", IMAGE, "--role", stranger)

    for ended, words in ((image, "and the job is to be in eu-central-1"), (role, "of the AWS acc")):
        assert ended.exit_code == 2, ended.stderr
        assert words in ended.stderr
    assert inventory(account) == {}


def test_another_job_at_work_is_not_mistaken_for_this_one(
    train: Deploy, school: School, studying: Weather
) -> None:
    train()
    same = train()
    other = train("--set", "epochs=3")

    assert same.exit_code == 0, same.stderr
    assert "was asked for just this, and is at work" in same.stderr
    assert other.exit_code == 4
    assert "is at work, and was asked for something else" in other.stderr
    assert len(school.jobs) == 1


@pytest.mark.parametrize("option", ["--status", "--logs", "--stop", "--resume", "--follow", "--up"])
def test_where_there_is_no_job_that_is_said(option: str, deploy: Deploy, account: Account) -> None:
    ended = deploy("train", "cats", option)

    assert ended.exit_code == 4
    assert "raining job of cats" in ended.stderr


def test_what_kept_no_checkpoints_can_not_go_on(
    train: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    train("--follow")
    done = deploy("train", "cats", "--resume")
    [job] = school.jobs.values()
    job.training_job_status = "Stopped"
    stopped = deploy("train", "cats", "--resume")

    assert done.exit_code == stopped.exit_code == 4
    assert "is done: its model is s3://" in done.stderr
    assert "kept no checkpoints" in stopped.stderr


@pytest.mark.parametrize("option", ["--status", "--logs", "--follow"])
def test_what_would_be_asked_can_be_shown(option: str, deploy: Deploy, account: Account) -> None:
    shown = deploy("train", "cats", option, "--dry-run")

    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout)["calls"][0]["operation"] == "DescribeTrainingJob"
