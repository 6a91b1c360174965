"""The project's own images keep SageMaker's contract, as `plumbline conform` finds it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.tensorflow]

TRAINS = """
import os
if not os.listdir(os.environ["SM_CHANNEL_TRAINING"]):
    raise ValueError("no pictures")
open(os.environ["SM_MODEL_DIR"] + "/saved", "w").write("1")
"""


NO_METRICS = {"I56: 404: SageMaker will find none"}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """What a script trains with."""
    for name in ("code", "training"):
        (tmp_path / "job" / name).mkdir(parents=True)
    (tmp_path / "job/code/train.py").write_text(TRAINS)
    (tmp_path / "job/training/one.txt").write_text("1")
    settings = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code",
    }
    (tmp_path / "job/hyperparameters.json").write_text(json.dumps(settings))
    return tmp_path / "job"


def conform(image: Any, demo: Any, folder: Path, *more: object) -> dict[str, dict[str, str]]:
    """What each check says of an image that serves the demo's model."""
    picture = folder / "three.png"
    picture.write_bytes(demo.pictures["three"])
    command = [sys.executable, "-m", "plumbline", "conform", image.tags[0], "--model", demo.archive]
    options = ["--request", picture, "--type", "image/png", "--env"]
    options += ["PLUMBLINE_FAILURE_GRACE_SECONDS=1"]
    reports = ["--json", folder / "report.json", "--junit", folder / "junit.xml"]
    done = subprocess.run(
        [*map(str, [*command, *options, *reports, *more])],
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads((folder / "report.json").read_text())["checks"]
    suite = ET.parse(folder / "junit.xml").getroot()
    assert (suite.get("failures"), int(suite.get("tests", 0))) == ("0", len(checks))
    return {check["check"]: check for check in checks}


def unkept(checks: dict[str, dict[str, str]]) -> set[str]:
    """What is not as it must or should be, or is worth knowing."""
    return {
        f"{name}: {check['evidence']}"
        for name, check in checks.items()
        if check["outcome"] == "failed"
    }


def test_the_slim_image_keeps_the_contract(slim_image: Any, demo: Any, tmp_path: Path) -> None:
    checks = conform(slim_image, demo, tmp_path, "--batch", "--multi-model")
    assert unkept(checks) <= NO_METRICS
    unknown = {name for name, check in checks.items() if check["outcome"] == "not judged"}
    assert unknown == {"D23", "G46"}  # no answer is expected, and a picture is no line of JSON


def test_the_image_with_tensorflow_keeps_the_contract_and_trains(
    image: Any, demo: Any, job: Path, tmp_path: Path
) -> None:
    checks = conform(image, demo, tmp_path, "--train", job)
    [trained] = unkept(checks) - NO_METRICS
    assert trained.startswith("J62: ")  # what the script leaves is no model
    assert {f"J{number}" for number in range(57, 63)} <= checks.keys()
