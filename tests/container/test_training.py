"""`docker run IMAGE train`, as SageMaker, its SDK's local mode and boto3's users start it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_container import readable, running, wait_until

from labelled_layouts import digits, recordio
from plumbline.archive.tarball import unpack
from training_emulator import Job, Outcome, run_image

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.docker, pytest.mark.tensorflow]

TELLS = """
import json, os, sys
told = {"arguments": sys.argv[1:], "channel": os.listdir(os.environ["SM_CHANNEL_TRAIN"])}
json.dump(told, open(os.environ["SM_OUTPUT_DATA_DIR"] + "/told.json", "w"))
print("running", flush=True)
"""

WAITS = """
import os, signal, sys, time
def save(*_):
    open(os.environ["SM_MODEL_DIR"] + "/saved", "w").write("1")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
time.sleep(100)
"""

Train = Callable[..., Outcome]


@pytest.fixture
def train(image: Any, tmp_path: Path) -> Train:
    """Run a script as a job in the image: `train(script, {"epochs": "5"})`."""

    def run(
        script: str,
        hyperparameters: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
        stop_after: float | None = None,
        **request: Any,
    ) -> Outcome:
        code, data = tmp_path / "code", tmp_path / "data"
        for folder in (code, data):
            folder.mkdir()
        (code / "train.py").write_text(textwrap.dedent(script), "utf-8")
        (data / "picture.txt").write_text("none")
        given = {
            "TrainingJobName": "job-1",
            "InputDataConfig": [channel("code", code), channel("train", data)],
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": "/opt/ml/input/data/code",
                **(hyperparameters or {}),
            },
        }
        return run_image(Job({**given, **request}, tmp_path / "job"), image.id, options, stop_after)

    return run


def channel(name: str, folder: Path) -> dict[str, Any]:
    """A channel of files on this machine."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"file://{folder}"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def test_a_script_trains_isolated_on_a_read_only_disk_within_little_memory(
    train: Train, tmp_path: Path
) -> None:
    options = ("--read-only", "--tmpfs", "/tmp", "--memory", "512m")
    outcome = train(TELLS, {"epochs": "5"}, options, EnableNetworkIsolation=True)
    assert outcome.status == "Completed", outcome.log
    told = json.loads((tmp_path / "job/ml/output/data/told.json").read_text())
    assert told == {"arguments": ["--epochs", "5"], "channel": ["picture.txt"]}


def test_a_script_without_the_memory_that_it_wants_is_told_so(train: Train) -> None:
    greedy = "held = []\nwhile True:\n    held.append(bytearray(b'1' * 50_000_000))"
    outcome = train(greedy, options=("--memory", "300m", "--memory-swap", "300m"))
    assert (outcome.status, outcome.exit_code) == ("Failed", 137)
    assert "because memory ran out: the container has 0.3 GiB" in outcome.failure_reason


def test_a_job_is_stopped_and_keeps_what_its_script_saved(train: Train) -> None:
    outcome = train(WAITS, stop_after=5)
    assert outcome.status == "Stopped", outcome.log
    assert outcome.exit_code == 0
    assert outcome.model is not None


def test_a_failure_is_one_sentence(train: Train) -> None:
    outcome = train("raise ValueError('no pictures')")
    assert outcome.failure_reason == (
        "AlgorithmError: train.py failed with exit status 1: ValueError: no pictures"
    )


def test_a_job_without_a_command_trains(train: Train, docker_client: Any, image: Any) -> None:
    """As SDK v3's local mode starts it; the emulator's job lies there already."""
    outcome = train(TELLS)
    root = Path(str(outcome.output)).parent / "ml"
    said = docker_client.containers.run(
        image.id, volumes={str(root): {"bind": "/opt/ml", "mode": "rw"}}, remove=True
    )
    assert "running" in said.decode()


def test_the_slim_image_refuses_with_one_sentence(slim_image: Any, tmp_path: Path) -> None:
    outcome = run_image(Job({}, tmp_path / "job"), slim_image.id)
    assert outcome.exit_code == 1
    assert "This is the image without TensorFlow" in outcome.failure_reason


def test_a_driver_of_model_trainer_runs_as_it_is(train: Train) -> None:
    """SDK v3 names bash as the entrypoint, and its own script as the argument."""
    script = (
        "SM_PYTHON_CMD=$(command -v python3 || command -v python); "
        "SM_PIP_CMD=$(command -v pip3 || command -v pip); "
        '[[ -n "$SM_PYTHON_CMD" && -n "$SM_PIP_CMD" ]] && $SM_PIP_CMD --version && '
        "cd /opt/ml/input/data/code && $SM_PYTHON_CMD train.py"
    )
    outcome = train(
        "print('driven')",
        AlgorithmSpecification={
            "ContainerEntrypoint": ["/bin/bash"],
            "ContainerArguments": ["-c", script],
        },
    )
    assert outcome.status == "Completed", outcome.log
    assert "driven" in outcome.log


BUILT_IN = {
    "num_layers": "20",
    "image_shape": "3,32,32",
    "num_training_samples": "400",
    "num_classes": "4",
    "mini_batch_size": "32",
    "epochs": "3",
    "learning_rate": "0.01",
    "precision_dtype": "float32",
    "use_pretrained_model": "0",
    "checkpoint_frequency": "1",
}
"""As a job of AWS's image classifier has them."""


def test_a_job_of_the_built_in_classifier_trains_what_the_slim_image_serves(
    image: Any, slim_image: Any, docker_client: Any, tmp_path: Path
) -> None:
    """Its request, `.rec` channels included, with nothing but the image exchanged."""
    validation = digits(60, 4, begin=400)
    for name, pictures in (("train", digits(400, 4)), ("validation", validation)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.rec").write_bytes(recordio(pictures))
    channels = [
        {
            **channel(name, tmp_path / name),
            "ContentType": "application/x-recordio",
            "CompressionType": "None",
        }
        for name in ("train", "validation")
    ]
    request = {
        "TrainingJobName": "caltech",
        "InputDataConfig": channels,
        "HyperParameters": BUILT_IN,
        "EnableNetworkIsolation": True,
    }
    options = ("--read-only", "--tmpfs", "/tmp", "--memory", "3g")
    outcome = run_image(Job(request, tmp_path / "job"), image.id, options)
    assert outcome.status == "Completed", outcome.log
    assert outcome.model is not None
    [reported] = re.findall(r"The best epoch is \d: Validation-accuracy=([0-9.]+)", outcome.log)

    folder = tmp_path / "model"
    unpack(outcome.model, folder)
    readable(folder)
    with running(docker_client, slim_image.id, folder, read_only=True) as served:
        wait_until(served.is_ready)
        answers = [served.invoke(data).scores for data, _ in validation]
    right = [
        max(scores, key=lambda name: scores[name]) == str(label)
        for scores, (_, label) in zip(answers, validation, strict=True)
    ]
    assert float(reported) > 0.4
    assert f"{sum(right) / len(right):.6g}" == reported
