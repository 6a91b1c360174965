"""`deploy.py transform`: pictures in S3, in bulk, in moto's AWS."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_account import ACCOUNT, IMAGE, ROLE, Account, Deploy, inventory
from batching import IN, OUT, Batch
from faults import Weather

from deployment import names

pytestmark = pytest.mark.usefixtures("pictures", "sound")


def test_every_picture_is_answered(
    account: Account, up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    before = inventory(account)
    with Batch(pictures, looks=4).weather().prevailing() as weather:
        ended = transform()

    assert ended.exit_code == 0, ended.stderr
    assert "3 of 3 files are answered in s3://pictures/answers/" in ended.stderr
    assert "1 of 3 files are answered\n" in ended.stderr
    assert ended.stdout == ""
    [asked] = [call.parameters for call in weather.calls if call.operation == "CreateTransformJob"]
    assert asked["ModelName"] == before["models"][0]
    assert asked["MaxConcurrentTransforms"] == 16
    assert asked["MaxPayloadInMB"] == 6
    assert asked["BatchStrategy"] == "SingleRecord"
    assert asked["TransformInput"]["ContentType"] == "application/x-image"
    assert asked["TransformInput"]["SplitType"] == "None"
    assert inventory(account)["models"] == before["models"]


def test_what_got_no_answer_is_listed_with_the_log(
    account: Account, up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    weather = Batch(pictures, "b.jpg").weather()
    with weather.prevailing():
        logged(account, weather)
        ended = transform()

    assert ended.exit_code == 1
    assert ended.stdout == "s3://pictures/photos/b.jpg: no answer\n"
    assert "1 could not be answered" in ended.stderr
    assert "Failed. ClientError: see the log" in ended.stderr
    assert "not an image" in ended.stderr


def logged(account: Account, weather: Weather) -> None:
    """Let the job's container have written a line as soon as the job is there."""
    begin, client = weather.after["CreateTransformJob"], account("logs")

    def write() -> None:
        begin()
        job = weather.calls[-1].parameters["TransformJobName"]
        client.create_log_group(logGroupName=names.JOB_LOGS)
        client.create_log_stream(logGroupName=names.JOB_LOGS, logStreamName=f"{job}/i-1")
        client.put_log_events(
            logGroupName=names.JOB_LOGS,
            logStreamName=f"{job}/i-1",
            logEvents=[{"timestamp": int(time.time() * 1000), "message": "not an image"}],
        )

    weather.after["CreateTransformJob"] = write


def test_the_logs_of_jobs_go_with_the_data(
    account: Account, up: Deploy, transform: Deploy, deploy: Deploy, pictures: Any
) -> None:
    test_what_got_no_answer_is_listed_with_the_log(account, up, transform, pictures)
    client = account("logs")
    client.create_log_stream(logGroupName=names.JOB_LOGS, logStreamName="cats-of-others/i-1")

    ended = deploy("down", "cats", "--yes", "--data")

    assert ended.exit_code == 0, ended.stderr
    left = client.describe_log_streams(logGroupName=names.JOB_LOGS)["logStreams"]
    assert [each["logStreamName"] for each in left] == ["cats-of-others/i-1"]


def test_nothing_answered_is_a_failure_of_its_own(
    up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    with Batch(pictures, "a.jpg", "b.jpg", "more/c.jpg").weather().prevailing():
        ended = transform()

    assert ended.exit_code == 6
    assert "Failed. ClientError" in ended.stderr


def test_answers_of_an_earlier_job_do_not_count(
    up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    old = datetime(2020, 1, 1, tzinfo=UTC)
    pictures.put_object(Bucket="pictures", Key="answers/b.jpg.out", Body=b"{}")
    from moto.s3.models import s3_backends

    s3_backends[ACCOUNT]["aws"].buckets["pictures"].keys["answers/b.jpg.out"].last_modified = old
    with Batch(pictures, "b.jpg").weather().prevailing():
        ended = transform()

    assert ended.stdout == "s3://pictures/photos/b.jpg: no answer\n"


def test_lines_that_are_errors_are_listed(up: Deploy, deploy: Deploy, pictures: Any) -> None:
    up()
    error = json.dumps({"error": {"code": "not_an_image", "message": "No picture."}})
    body = f'{{"classes": []}}\n{error}\n'.encode()
    with Batch(pictures, looks=4, body=body).weather().prevailing() as weather:
        ended = deploy("transform", "cats", "s3://pictures/photos/a.jpg", OUT, "--lines")

    assert ended.exit_code == 1
    assert ended.stdout == "s3://pictures/photos/a.jpg: line 2: No picture.\n"
    [asked] = [call.parameters for call in weather.calls if call.operation == "CreateTransformJob"]
    assert asked["BatchStrategy"] == "MultiRecord"
    assert asked["TransformInput"]["SplitType"] == "Line"


def test_without_an_endpoint_the_model_is_made(
    account: Account, transform: Deploy, deploy: Deploy, archive: Path, pictures: Any
) -> None:
    nothing = transform()
    with Batch(pictures, looks=4).weather().prevailing():
        named = ("--image", IMAGE, "--model", archive, "--role", ROLE, "--no-check")
        ended = transform(*named)

    assert nothing.exit_code == 2
    assert "--image URI --model model.tar.gz --role ARN" in nothing.stderr
    assert ended.exit_code == 0, ended.stderr
    assert len(inventory(account)["models"]) == 1
    assert deploy("down", "cats", "--yes", "--data").exit_code == 0
    assert "models" not in inventory(account)


@pytest.mark.parametrize(
    ("option", "value", "phrase"),
    [
        ("--role", "nonsense", "arn:aws:iam::123456789012:role/"),
        ("--image", "plumbline:1", "./build_and_push.sh"),
        ("--env", "1A=3", "no name for an environment variable"),
    ],
)
def test_without_an_endpoint_what_is_named_is_checked_as_by_up(
    account: Account, transform: Deploy, archive: Path, option: str, value: str, phrase: str
) -> None:
    named = {"--image": IMAGE, "--model": archive, "--role": ROLE, option: value}

    ended = transform(*(word for pair in named.items() for word in pair), "--no-check")

    assert ended.exit_code == 2, ended.output
    assert phrase in ended.stderr
    assert "models" not in inventory(account)


def test_without_an_endpoint_there_is_no_variant(
    account: Account, transform: Deploy, archive: Path
) -> None:
    named = ("--image", IMAGE, "--model", archive, "--role", ROLE, "--no-check")

    ended = transform(*named, "--variant", "b")

    assert ended.exit_code == 2
    assert "there is no endpoint cats" in ended.stderr


def test_another_archive_than_the_endpoint_s(
    account: Account, up: Deploy, transform: Deploy, tmp_path: Path, pictures: Any
) -> None:
    up()
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"another")
    with Batch(pictures, looks=4).weather().prevailing():
        ended = transform("--model", other, "--no-check")

    assert ended.exit_code == 0, ended.stderr
    assert len(inventory(account)["models"]) == 2


def test_a_folder_is_meant_without_its_slash_too(up: Deploy, deploy: Deploy, pictures: Any) -> None:
    up()

    ended = deploy("transform", "cats", IN.rstrip("/"), OUT, "--dry-run")

    calls = json.loads(ended.stdout)["calls"]
    [job] = [each for each in calls if each["operation"] == "CreateTransformJob"]
    source = job["parameters"]["TransformInput"]["DataSource"]["S3DataSource"]
    assert source == {"S3DataType": "S3Prefix", "S3Uri": IN}
    assert "billed by the second while the job runs" in ended.stderr


REFUSED = {
    "too much": ((IN, OUT, "--payload-mb", 10), "--concurrency 10"),
    "no place": (("photos/", OUT), "s3://my-bucket/pictures/"),
    "among themselves": ((IN, f"{IN}answers"), "among the pictures"),
    "machine": ((IN, OUT, "--instance", "c5.large"), "ml.c5.xlarge"),
    "variant": ((IN, OUT, "--variant", "b"), "no variant b"),
    "role": ((IN, OUT, "--role", ROLE), "has its own role"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_aws_would_refuse_is_refused_at_once(
    account: Account, up: Deploy, deploy: Deploy, case: str
) -> None:
    up()
    options, phrase = REFUSED[case]

    ended = deploy("transform", "cats", *options)

    assert ended.exit_code == 2, ended.stderr
    assert phrase in ended.stderr


def test_a_file_that_is_too_large_is_refused_before_machines_start(
    account: Account, up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    pictures.put_object(Bucket="pictures", Key="photos/big.jpg", Body=bytes(7 * 1024**2))

    ended = transform()

    assert ended.exit_code == 2
    assert "photos/big.jpg has 7.0 MB" in ended.stderr
    assert "--payload-mb 7 --concurrency 14" in ended.stderr
    assert account("sagemaker").list_transform_jobs()["TransformJobSummaries"] == []


def test_the_largest_file_that_is_sent_is_sent(
    up: Deploy, transform: Deploy, pictures: Any
) -> None:
    up()
    pictures.put_object(Bucket="pictures", Key="photos/big.jpg", Body=bytes(6 * 1024**2))
    largest = transform("--dry-run"), transform("--payload-mb", 5)
    with Batch(pictures, looks=5).weather().prevailing():
        ended = transform()

    assert [each.exit_code for each in largest] == [0, 2]
    assert ended.exit_code == 0, ended.stderr


def test_an_empty_folder(up: Deploy, deploy: Deploy) -> None:
    up()
    ended = deploy("transform", "cats", "s3://pictures/nothing/", OUT)

    assert ended.exit_code == 4
    assert "There is nothing under s3://pictures/nothing/" in ended.stderr
