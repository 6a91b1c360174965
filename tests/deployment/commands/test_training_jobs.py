"""`deploy.py train`: from a folder of pictures to a model, and to an endpoint, in moto's AWS."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_account import BUCKET, IMAGE, REGION, ROLE, Account, Deploy, inventory
from aws_models import complaints
from faults import Weather
from learning import STATES, School

from deployment import names
from deployment.plan.calls import Call
from deployment.terminal.folders import CHANNELS
from plumbline.training import commands, hyperparameters
from plumbline.training.classifiers import labelled_channels, metric_definitions
from plumbline.training.classifiers.hyperparameter_table import TABLE
from plumbline.training.classifiers.metric_definitions import METRICS
from plumbline.training.epoch_lines import EpochLines
from plumbline.training.job import Channel as TrainingChannel
from plumbline.training.job import Job

pytestmark = pytest.mark.usefixtures("sound")


def asked(weather: Weather, operation: str = "CreateTrainingJob") -> Any:
    """The parameters of the only such call."""
    [call] = [each for each in weather.calls if each.operation == operation]
    assert complaints(Call(call.service, call.operation, call.parameters)) == []
    return call.parameters


def sources(told: Any) -> dict[str, str]:
    """Where the channels of a job lie."""
    return {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in told["InputDataConfig"]
    }


def test_a_folder_becomes_a_model(
    train: Deploy, studying: Weather, school: School, account: Account
) -> None:
    ended = train("--set", "epochs=20", "--follow")

    assert ended.exit_code == 0, ended.stderr
    told = asked(studying)
    assert told["HyperParameters"] == {"epochs": "20"}
    assert told["EnableNetworkIsolation"] is True
    assert told["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200}
    assert "CheckpointConfig" not in told
    prefix = sources(told)["training"].removeprefix(f"s3://{BUCKET}/")
    assert [each for each in inventory(account)["objects"] if prefix in each] == [
        f"{BUCKET}/{prefix}{name}" for name in ("cats/a.png", "cats/b.png", "dogs/a.png")
    ]
    for words in ("Downloading: Downloading it", "validation:accuracy 0.75", "is done"):
        assert words in ended.stderr
    assert f"{told['TrainingJobName']}/output/model.tar.gz" in ended.stderr
    assert ended.stderr.count("validation:accuracy 0.75\n") == 2  # as it comes, and at the end


def test_the_definitions_of_metrics_find_what_the_recipe_prints(
    train: Deploy, studying: Weather
) -> None:
    train()
    said: list[str] = []
    lines = EpochLines(metric_definitions.lines, 3, 10, said.append, bars=False)
    lines.epoch(0, {name: 0.5 for name in METRICS if ":" in name})

    told = asked(studying)["AlgorithmSpecification"]["MetricDefinitions"]
    assert {each["Name"] for each in told} == set(METRICS)
    for each in told:
        assert re.findall(each["Regex"], said[0])[0] == "0.5", each


def test_the_same_content_is_uploaded_once(train: Deploy, studying: Weather) -> None:
    train("--follow")
    again = train("--follow", "--set", "epochs=3")

    assert again.exit_code == 0, again.stderr
    uploads = [each for each in studying.calls if each.operation == "PutObject"]
    assert len(uploads) == 3
    assert "Uploading 3 of 3 files" not in again.stderr


def test_what_is_shown_first_is_what_would_be_asked(train: Deploy, studying: Weather) -> None:
    shown = train("--set", "epochs=20", "--spot", "--max-runtime", "90m", "--up", "--dry-run")

    assert shown.exit_code == 0, shown.stderr
    document = json.loads(shown.stdout)
    operations = [each["operation"] for each in document["calls"]]
    assert operations[:3] == ["CreateBucket", "PutObject", "CreateTrainingJob"]
    assert operations[-2:] == ["CreateEndpoint", "DescribeEndpoint"]
    assert "At most 1.5 h × ml.c7i.4xlarge = 1.5 instance hours" in shown.stderr
    actions = [
        action
        for statement in document["policies"]["person"]["Statement"]
        for action in statement["Action"]
    ]
    assert {"sagemaker:CreateTrainingJob", "iam:PassRole", "s3:PutObject"} < set(actions)
    assert "sagemaker:CreateTransformJob" not in actions
    assert [call for call in studying.calls if call.changes] == []


def priced(*found: tuple[str, str]) -> Any:
    """The price list, with what machines cost by what AWS calls their use."""

    def answer(asked: Any) -> dict[str, Any]:
        fields = {each["Field"]: each["Value"] for each in asked["Filters"]}
        assert fields == {"regionCode": REGION, "instanceName": "ml.c7i.4xlarge"}
        return {
            "PriceList": [
                json.dumps(
                    {
                        "product": {"attributes": {"usagetype": usage}},
                        "terms": {
                            "OnDemand": {
                                "x": {"priceDimensions": {"y": {"pricePerUnit": {"USD": price}}}}
                            }
                        },
                    }
                )
                for usage, price in found
            ]
        }

    return answer


LISTED = (
    ("EUC1-Train:ml.c7i.4xlarge", "0.8570000000"),
    ("EUC1-TrainWarm:ml.c7i.4xlarge", "9.0000000000"),
    ("EUC1-Train:ml.c7i.48xlarge", "10.2800000000"),
)


def test_what_it_costs_at_most_is_said_in_figures_where_the_price_list_can_be_asked(
    train: Deploy, seek: Deploy, studying: Weather
) -> None:
    studying.stubs["GetProducts"] = priced(*LISTED)
    shown = train("--max-runtime", "90m", "--warm", "30m", "--dry-run")
    search = seek("--jobs", 10, "--max-runtime", "3h", "--dry-run")
    studying.stubs["GetProducts"] = priced(*LISTED[1:])
    unknown = train("--dry-run")
    del studying.stubs["GetProducts"]
    unasked = train("--dry-run")

    figures = (
        "That is at most 1.29 USD, and 0.43 USD while the instance is kept: ml.c7i.4xlarge costs "
        "0.857 USD an hour in eu-central-1 by AWS's price list, on demand and without taxes."
    )
    assert json.loads(shown.stdout)["cost"][1] == figures
    assert figures in shown.stderr
    assert "That is at most 25.71 USD: ml.c7i.4xlarge costs" in search.stderr
    assert "AWS's price list lacks ml.c7i.4xlarge in eu-central-1" in unknown.stderr
    assert unasked.exit_code == 0
    assert "which takes credentials that allow pricing:GetProducts (Could not" in unasked.stderr


def test_the_figures_are_said_before_anything_is_made(
    train: Deploy, seek: Deploy, studying: Weather
) -> None:
    studying.stubs["GetProducts"] = priced(*LISTED)
    for begin, most in ((train, "1.72 USD"), (seek, "17.14 USD")):
        lines = begin().stderr.splitlines()
        [told] = (number for number, line in enumerate(lines) if f"at most {most}" in line)
        begun = (number for number, line in enumerate(lines) if line.startswith(("Making", "Up")))
        assert told < min(begun, default=told + 1)


def test_a_spot_job_keeps_checkpoints_of_its_own(train: Deploy, studying: Weather) -> None:
    train("--spot", "--max-runtime", "1h", "--max-wait", "4h")

    told = asked(studying)
    assert told["EnableManagedSpotTraining"] is True
    assert told["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 14400}
    place = f"s3://{BUCKET}/plumbline/cats/checkpoints/{told['TrainingJobName']}"
    assert told["CheckpointConfig"] == {"S3Uri": place, "LocalPath": "/opt/ml/checkpoints"}


def test_a_script_goes_along_as_code(
    train: Deploy, studying: Weather, tmp_path: Path, account: Account
) -> None:
    folder = tmp_path / "source"
    for name in ("train.py", "net/layers.py", ".git/config", "__pycache__/train.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("pass")

    ended = train("--script", folder / "train.py", "--metric", r"accuracy=acc: ([0-9.]+)")

    assert ended.exit_code == 0, ended.stderr
    told = asked(studying)
    assert told["HyperParameters"] == {"sagemaker_program": "train.py"}
    assert told["EnableNetworkIsolation"] is False
    assert told["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": "accuracy", "Regex": r"acc: ([0-9.]+)"}
    ]
    prefix = sources(told)["code"].removeprefix("s3://")
    kept = [each for each in inventory(account)["objects"] if each.startswith(prefix)]
    assert kept == [f"{prefix}net/layers.py", f"{prefix}train.py"]


def test_folders_called_as_channels_are_channels(
    deploy: Deploy, studying: Weather, tmp_path: Path
) -> None:
    for name in ("train/cats/a.png", "train/dogs/b.png", "validation/cats/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())

    (tmp_path / "raw").mkdir()

    ended = deploy("train", "cats", "--data", tmp_path, "--image", IMAGE, "--role", ROLE)

    assert ended.exit_code == 0, ended.stderr
    assert set(sources(asked(studying))) == {"train", "validation"}
    assert "no channels, and left out, are raw." in ended.stderr
    assert commands.CHANNELS < CHANNELS


def manifested(folder: Path, *addresses: str) -> Path:
    """A folder with an augmented manifest of these pictures."""
    lines = [
        json.dumps({"source-ref": each, "class": place}) for place, each in enumerate(addresses)
    ]
    (folder / "output.manifest").write_text("\n".join(lines))
    return folder


def test_a_manifest_beside_its_pictures_becomes_two_channels(
    deploy: Deploy, studying: Weather, tmp_path: Path, account: Account
) -> None:
    manifested(tmp_path, "s3://labelled/set/one/a.jpg", "s3://labelled/set/b.jpg")
    (tmp_path / "one").mkdir()
    for name in ("one/a.jpg", "b.jpg", "not-named.jpg"):
        (tmp_path / name).write_bytes(name.encode())

    ended = deploy("train", "cats", "--data", tmp_path, "--image", IMAGE, "--role", ROLE)

    assert ended.exit_code == 0, ended.stderr
    places = {name: url.removeprefix("s3://") for name, url in sources(asked(studying)).items()}
    there = inventory(account)["objects"]
    assert [each for each in there if each.startswith(places["training"])] == [
        f"{places['training']}output.manifest"
    ]
    pictures = places["training_pictures"]
    assert [each for each in there if each.startswith(pictures)] == [
        f"{pictures}b.jpg",
        f"{pictures}one/a.jpg",
    ]


def test_pictures_that_a_manifest_names_and_that_are_missing_are_the_jobs_to_count(
    deploy: Deploy, studying: Weather, tmp_path: Path, account: Account
) -> None:
    manifested(tmp_path, "s3://labelled/set/a.jpg", "s3://labelled/set/b.jpg")
    (tmp_path / "a.jpg").write_bytes(b"a")

    ended = deploy("train", "cats", "--data", tmp_path, "--image", IMAGE, "--role", ROLE)

    assert ended.exit_code == 0, ended.stderr
    assert "1 of 2 pictures are not in" in ended.stderr
    assert "output.manifest, line 2: s3://labelled/set/b.jpg" in ended.stderr
    place = sources(asked(studying))["training_pictures"].removeprefix("s3://")
    kept = [each for each in inventory(account)["objects"] if each.startswith(place)]
    assert kept == [f"{place}a.jpg"]


def test_the_recipe_reads_the_channels_that_a_manifest_became(
    deploy: Deploy, studying: Weather, tmp_path: Path, account: Account
) -> None:
    pictures, folder = (
        [f"{kind}/{number}.jpg" for kind in "ab" for number in range(4)],
        tmp_path / "x",
    )
    for name in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    lines = [
        json.dumps({"source-ref": f"s3://labelled/set/{each}", "kind": "ab".index(each[0])})
        for each in pictures
    ]
    (folder / "output.manifest").write_text("\n".join(lines))

    ended = deploy("train", "cats", "--data", folder, "--image", IMAGE, "--role", ROLE)

    assert ended.exit_code == 0, ended.stderr
    job = Job(channels=copied(account, sources(asked(studying)), tmp_path / "input"))
    values = hyperparameters.read(TABLE, {})
    data = labelled_channels.read_data(job, values, tmp_path)
    found = {entry.file.read_bytes().decode(): entry.label for entry in data.train.entries}
    assert len(found) == 6  # one of each class is kept for validation
    assert all(label == "ab".index(name[0]) for name, label in found.items())


def copied(account: Account, places: dict[str, str], to: Path) -> dict[str, TrainingChannel]:
    """The channels as SageMaker copies them: what lies behind each prefix."""
    s3 = account("s3")
    for name, url in places.items():
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            file = to / name / each["Key"].removeprefix(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, each["Key"], str(file))
    return {name: TrainingChannel(name, to / name) for name in places}


@pytest.mark.parametrize("where", ["here", "in S3"])
def test_pictures_that_a_manifest_names_in_s3_stay_there(
    where: str, deploy: Deploy, studying: Weather, tmp_path: Path, account: Account
) -> None:
    s3 = account("s3")
    s3.create_bucket(Bucket="labelled", CreateBucketConfiguration={"LocationConstraint": REGION})
    manifested(tmp_path, "s3://labelled/set/one/a.jpg", "s3://labelled/set/b.jpg")
    data: Any = tmp_path
    if where == "in S3":
        s3.upload_file(str(tmp_path / "output.manifest"), "labelled", "out/output.manifest")
        data = "s3://labelled/out/output.manifest"

    ended = deploy("train", "cats", "--data", data, "--image", IMAGE, "--role", ROLE)

    assert ended.exit_code == 0, ended.stderr
    told = asked(studying)
    assert sources(told)["training_pictures"] == "s3://labelled/set/"
    assert {each["ChannelName"]: each["InputMode"] for each in told["InputDataConfig"]} == {
        "training": "File",
        "training_pictures": "FastFile",
    }


def test_data_in_s3_is_taken_from_there_and_counted_for_the_disk(
    deploy: Deploy, studying: Weather, pictures: Any
) -> None:
    needed = ("--image", IMAGE, "--role", ROLE)
    ended = deploy("train", "cats", "--data", "s3://pictures/photos", *needed)

    assert ended.exit_code == 0, ended.stderr
    told = asked(studying)
    assert sources(told) == {"training": "s3://pictures/photos/"}
    assert told["ResourceConfig"]["VolumeSizeInGB"] == 32
    shown = deploy("train", "cats", "--data", "s3://pictures/photos", *needed, "--dry-run")
    [data] = [
        each
        for each in json.loads(shown.stdout)["policies"]["role"]["Statement"]
        if each["Sid"] == "DataInside"
    ]
    assert data["Resource"] == "arn:aws:s3:::pictures/*"


# -- watching -------------------------------------------------------------------------------------


def written(account: Account, job: str, *lines: str) -> None:
    """Let a job's container have written lines."""
    client, stream = account("logs"), f"{job}/algo-1-1"
    with suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=names.TRAINING_LOGS)
    client.create_log_stream(logGroupName=names.TRAINING_LOGS, logStreamName=stream)
    now = int(time.time() * 1000)
    client.put_log_events(
        logGroupName=names.TRAINING_LOGS,
        logStreamName=stream,
        logEvents=[{"timestamp": now + at, "message": line} for at, line in enumerate(lines)],
    )


def test_lines_of_the_log_are_shown_once_and_as_they_come(
    train: Deploy, school: School, account: Account
) -> None:
    def begin() -> None:
        school.begin()
        [job] = school.jobs
        written(account, job, "Epoch[0] Train-accuracy=0.5 Time cost=60.0", "done")

    with school.weather(CreateTrainingJob=begin).prevailing():
        ended = train("--follow", "--set", "epochs=4")

    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.count("Epoch[0]") == 1
    assert ended.stdout.splitlines()[-1].endswith("done")
    assert "about 3 min left" in ended.stderr


def test_lines_that_come_after_the_end_are_shown(
    train: Deploy, school: School, account: Account
) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        school.look()
        looks += bool(school.jobs)
        if looks == len(STATES) + 1:  # the look that finds the job ended
            written(account, *school.jobs, "the very last line")

    with school.weather(DescribeTrainingJob=look).prevailing():
        ended = train("--follow")

    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.count("the very last line") == 1


def test_a_spot_machine_that_is_taken_away_is_told_each_time(
    train: Deploy, school: School, studying: Weather
) -> None:
    school.states = ("Starting", "Training", "Interrupted", "Starting", "Training", "Interrupted")
    ended = train("--follow", "--spot")

    assert ended.exit_code == 0, ended.stderr
    assert ended.stderr.count("Interrupted: AWS took the Spot instance away") == 2


def test_what_a_spot_job_saved_is_said(
    train: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    train("--spot")
    [job] = school.jobs.values()
    job.billable_time_in_seconds, job.training_time_in_seconds = 300, 1200
    ended = deploy("train", "cats", "--follow")

    assert ended.exit_code == 0, ended.stderr
    assert "Billed: 5 min of ml.c7i.4xlarge, 75% less than it ran." in ended.stderr


def test_a_failure_is_told_with_its_reason_and_the_last_lines(
    train: Deploy, deploy: Deploy, school: School, account: Account
) -> None:
    school.end = "Failed"
    school.reason = "AlgorithmError: The channel training holds 3 classes, exit code: 1"

    def begin() -> None:
        school.begin()
        [job] = school.jobs
        written(account, job, "reading", "The channel training holds 3 classes")

    with school.weather(CreateTrainingJob=begin).prevailing():
        ended = train("--follow")
        shown = deploy("train", "cats", "--status")
        logged = deploy("train", "cats", "--logs")

    for each in (ended, shown):
        assert each.exit_code == 8
        assert f"Failed. {school.reason}" in each.stderr
        assert "The last lines of its log:" in each.stderr
        assert each.stderr.splitlines()[-1].endswith("The channel training holds 3 classes")
    assert "holds 3 classes" in logged.stdout


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("MaxRuntimeExceeded", "as --max-runtime allows"),
        ("MaxWaitTimeExceeded", "no Spot instance was free"),
    ],
)
def test_a_job_that_ran_out_of_time_is_no_success(
    state: str, words: str, train: Deploy, school: School
) -> None:
    school.end = "Stopped"

    def look() -> None:
        school.look()
        for job in school.jobs.values():
            if job.training_job_status == "Stopped":
                job.secondary_status = state

    with school.weather(DescribeTrainingJob=look).prevailing():
        ended = train("--follow", "--spot")

    assert ended.exit_code == 8
    assert words in ended.stderr
    assert "deploy.py train cats --resume" in ended.stderr


def test_the_state_is_said_of_the_newest(
    train: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    train()
    shown = deploy("train", "cats", "--status")

    assert shown.exit_code == 0, shown.stderr
    [job] = school.jobs
    assert shown.stdout.startswith(f"{job}: InProgress (")
    assert "left at most" in shown.stdout


def test_a_stopped_job_goes_on_from_its_checkpoint(
    train: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    train("--spot", "--set", "epochs=9")
    early = deploy("train", "cats", "--resume")
    stopped = deploy("train", "cats", "--stop")
    school.states = ()
    ended = deploy("train", "cats", "--resume", "--max-runtime", "5h", "--follow")

    assert early.exit_code == 4
    assert "is at work" in early.stderr
    assert stopped.exit_code == 0, stopped.stderr
    assert ended.exit_code == 0, ended.stderr
    first, second = (
        each.parameters for each in studying.calls if each.operation == "CreateTrainingJob"
    )
    assert first["TrainingJobName"] != second["TrainingJobName"]
    for key in ("CheckpointConfig", "HyperParameters", "InputDataConfig"):
        assert first[key] == second[key]
    assert second["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 18000,
        "MaxWaitTimeInSeconds": 18000,
    }
    assert complaints(Call("sagemaker", "CreateTrainingJob", second)) == []


def test_a_name_that_is_taken_is_not_taken_for_this_job(
    train: Deploy, school: School, studying: Weather, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=lambda _: datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr("deployment.commands.train.datetime", clock)
    train("--follow")
    ended = train("--set", "epochs=3")

    assert ended.exit_code == 4
    assert "cats-20260101-000000 is there already, and not as asked for" in ended.stderr
    assert "another time makes another name" in ended.stderr


# -- the endpoint, and away with it ---------------------------------------------------------------


def test_the_model_goes_up_as_by_the_command_up(
    train: Deploy, deploy: Deploy, school: School, studying: Weather, account: Account
) -> None:
    ended = train("--up", "--no-check", "--endpoint-instance", "ml.c5.xlarge")
    again = deploy("train", "cats", "--up", "--no-check", "--endpoint-instance", "ml.c5.xlarge")
    other = train("--up")

    assert ended.exit_code == 0, ended.stderr
    [job] = school.jobs
    model = asked(studying, "CreateModel")
    assert model["PrimaryContainer"]["ModelDataUrl"].endswith(f"{job}/output/model.tar.gz")
    assert (model["PrimaryContainer"]["Image"], model["ExecutionRoleArn"]) == (IMAGE, ROLE)
    assert inventory(account)["endpoints"] == ["cats"]
    assert again.exit_code == 0, again.stderr
    assert "nothing was changed" in again.stderr
    assert other.exit_code == 4
    assert "deploy.py update cats --model" in other.stderr
    assert list(school.jobs) == [job]


@pytest.mark.usefixtures("sound")
def test_a_model_that_could_not_be_served_does_not_go_up(
    train: Deploy, deploy: Deploy, school: School, studying: Weather, account: Account
) -> None:
    train("--follow")
    [job] = school.jobs
    key = f"plumbline/cats/jobs/{job}/output/model.tar.gz"
    account("s3").put_object(Bucket=BUCKET, Key=key, Body=b"no archive")

    ended = deploy("train", "cats", "--up")

    assert ended.exit_code == 2
    assert "can't be served, so nothing was sent to AWS" in ended.stderr
    assert "endpoints" not in inventory(account)


def test_all_of_it_can_be_removed(
    train: Deploy, deploy: Deploy, school: School, studying: Weather, account: Account
) -> None:
    train("--spot")
    [job] = school.jobs
    written(account, job, "a line")
    account("s3").put_object(Bucket=BUCKET, Key=f"plumbline/cats/checkpoints/{job}/x", Body=b"")
    shown = deploy("down", "cats", "--dry-run")
    first = deploy("down", "cats", "--yes")
    between = inventory(account)
    second = deploy("down", "cats", "--yes", "--data")

    assert json.loads(shown.stdout)["calls"][0]["operation"] == "StopTrainingJob"
    assert first.exit_code == 0, first.stderr
    assert f"training job {job}, which is at work" in first.stderr
    assert f"record of training job {job}" in first.stderr
    assert between["trainings"] == [job]
    assert second.exit_code == 0, second.stderr
    assert "Nothing of cats is left." in second.stderr
    assert inventory(account) == {}


def test_a_warm_machine_is_let_go(
    train: Deploy, deploy: Deploy, school: School, studying: Weather
) -> None:
    train("--warm", "30m", "--follow")
    assert asked(studying)["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1800
    [job] = school.jobs.values()
    job.warm_pool_status = {"Status": "Available"}
    studying.stubs["ListTrainingJobs"] = lambda _: {  # moto lists no such state
        "TrainingJobSummaries": [
            {
                "TrainingJobName": job.training_job_name,
                "TrainingJobArn": job.arn,
                "CreationTime": job.creation_time,
                "TrainingJobStatus": job.training_job_status,
                "WarmPoolStatus": job.warm_pool_status,
            }
        ]
    }

    ended = deploy("down", "cats", "--yes")

    assert ended.exit_code == 0, ended.stderr
    assert "keeps warm" in ended.stderr
    assert job.warm_pool_status == {"Status": "Terminated"}


def test_what_others_have_trained_stays(
    train: Deploy, deploy: Deploy, school: School, studying: Weather, account: Account
) -> None:
    train("--follow")
    [job] = school.jobs.values()
    job.tags = []

    ended = deploy("down", "cats", "--yes", "--data")
    shown = deploy("train", "cats", "--status")

    assert ended.exit_code == 0, ended.stderr
    assert inventory(account)["trainings"] == [job.training_job_name]
    assert shown.exit_code == 4
    assert "There is no training job of cats" in shown.stderr
