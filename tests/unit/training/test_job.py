"""What a job's files say, in the forms that SageMaker, its SDKs and older examples write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline.training.errors import TrainingError
from plumbline.training.job import Channel, Job, read_job


def written(root: Path, **documents: Any) -> Path:
    """A root with these files in input/config."""
    config = root / "input/config"
    config.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (config / f"{name}.json").write_text(json.dumps(document), "utf-8")
    return root


def read(root: Path, **documents: Any) -> Job:
    return read_job(written(root, **documents), {})


@pytest.mark.parametrize(
    ("written_as", "text", "value"),
    [
        ("5", "5", 5),  # boto3, and SDK v2's plain Estimator
        ('"adam"', "adam", "adam"),  # SDK v2's frameworks put JSON into the text
        ("adam", "adam", "adam"),  # SDK v3 leaves texts bare
        ('"\\"adam\\""', "adam", '"adam"'),  # through two SDKs
        ("0.001", "0.001", 0.001),
        ("1e-3", "1e-3", 1e-3),
        ("true", "true", True),
        ("True", "True", "True"),  # SDK v2's built-ins
        ("3,224,224", "3,224,224", "3,224,224"),
        ("null", "null", None),
        (7, "7", 7),  # local tests leave numbers as they are
        (True, "true", True),
        ("007", "007", "007"),
        ("", "", ""),
    ],
)
def test_a_hyperparameter_is_read_in_every_encoding(
    tmp_path: Path, written_as: Any, text: str, value: object
) -> None:
    job = read(tmp_path, hyperparameters={"name": written_as})
    assert job.hyperparameters == {"name": text}
    assert job.decoded == {"name": value}


def test_what_the_platform_adds_is_no_hyperparameter(tmp_path: Path) -> None:
    added = {
        "_tuning_objective_metric": "val",
        "sagemaker_program": '"a.py"',
        "sagemaker_region": '"x"',
    }
    job = read(tmp_path, hyperparameters={"epochs": "5", **added})
    assert job.hyperparameters == {"epochs": "5"}
    assert job.tuned


def test_without_any_file_a_job_is_one_machines_with_nothing_to_do(tmp_path: Path) -> None:
    job = read_job(tmp_path, {"TRAINING_JOB_NAME": "job-1"})
    assert (job.given, job.channels, job.checkpoints, job.name) == ({}, {}, None, "job-1")
    assert job.cluster.hosts == ("algo-1",)
    assert job.cluster.chief


@pytest.mark.parametrize("name", ["resourceconfig", "resourceConfig"])
def test_the_hosts_are_read_in_either_spelling(tmp_path: Path, name: str) -> None:
    document = {"current_host": "algo-2", "hosts": ["algo-2", "algo-10", "algo-1"]}
    cluster = read(tmp_path, **{name: document}).cluster
    assert cluster.hosts == ("algo-1", "algo-10", "algo-2")
    assert (cluster.rank, cluster.chief) == (2, False)


def test_the_channels_are_as_declared(tmp_path: Path) -> None:
    entry = {
        "TrainingInputMode": "Pipe",
        "S3DistributionType": "ShardedByS3Key",
        "RecordWrapperType": "RecordIO",
        "ContentType": "application/x-recordio",
    }
    job = read(tmp_path, inputdataconfig={"train": entry, "model": {}})
    train = job.channels["train"]
    assert train.path == tmp_path / "input/data/train"
    assert (train.mode, train.framed, train.sharded) == ("Pipe", True, True)
    assert train.content_type == "application/x-recordio"
    assert job.channels["model"] == Channel("model", tmp_path / "input/data/model")


def test_undeclared_channels_are_the_folders_without_the_lists_beside_them(tmp_path: Path) -> None:
    (tmp_path / "input/data/train").mkdir(parents=True)
    (tmp_path / "input/data/train-manifest").write_text("[]")
    assert list(read_job(tmp_path, {}).channels) == ["train"]


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="channel train has TrainingInputMode Tube; known are"):
        read(tmp_path, inputdataconfig={"train": {"TrainingInputMode": "Tube"}})


@pytest.mark.parametrize(
    ("local", "place"), [("/state", "/state"), ("/opt/ml/checkpoints", "{root}/checkpoints")]
)
def test_checkpoints_lie_where_the_job_says(tmp_path: Path, local: str, place: str) -> None:
    job = read(tmp_path, checkpointconfig={"LocalPath": local})
    assert str(job.checkpoints) == place.format(root=tmp_path)


def test_jobs_of_a_tuning_job_keep_their_checkpoints_apart(tmp_path: Path) -> None:
    written(tmp_path, checkpointconfig={"LocalPath": "/state"})
    written(tmp_path, hyperparameters={"_tuning_objective_metric": "val"})
    assert read_job(tmp_path, {"TRAINING_JOB_NAME": "t-3"}).checkpoints == Path("/state/t-3")


def test_isolation_and_spot_are_read_of_the_request(tmp_path: Path) -> None:
    request = {"EnableNetworkIsolation": True, "EnableManagedSpotTraining": True}
    job = read(tmp_path, trainingjobconfig={"TrainingJobName": "n", **request})
    assert (job.isolated, job.spot, job.name) == (True, True, "n")


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_file_that_is_no_object_is_named(tmp_path: Path, text: str) -> None:
    written(tmp_path)
    (tmp_path / "input/config/hyperparameters.json").write_text(text)
    with pytest.raises(TrainingError, match=r"hyperparameters\.json (is not JSON|must hold)"):
        read_job(tmp_path, {})


def test_another_user_than_root_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, who may read everything, plays another."""
    written(tmp_path, hyperparameters={})

    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(TrainingError, match="SageMaker runs training containers as root"):
        read_job(tmp_path, {})


def test_what_the_environment_holds_is_not_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(read_job(tmp_path, {"TOKEN": "secret"}))
