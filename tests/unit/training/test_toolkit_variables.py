"""The variables and arguments of a script, against those that AWS's training toolkit made.

Each JSON file names the call of the toolkit that wrote it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumbline.training import script_variables
from plumbline.training.job import read_job
from plumbline.training.script_program import Script

MACHINES = ("num_cpus", "num_gpus")
"""What differs from machine to machine."""


@pytest.mark.parametrize("name", ["toolkit_variables", "toolkit_variables_one_host"])
def test_they_are_the_toolkits_own(name: str, tmp_path: Path) -> None:
    text = Path(__file__).with_name(f"{name}.json").read_text("utf-8")
    recorded: dict[str, Any] = json.loads(text.replace("ROOT", str(tmp_path)))
    config = tmp_path / "input/config"
    config.mkdir(parents=True)
    for file, document in recorded["given"].items():
        (config / file).write_text(json.dumps(document), "utf-8")
    job = read_job(tmp_path, {"TRAINING_JOB_NAME": "job-1"})

    found: dict[str, Any] = dict(
        script_variables.variables(job, Script("src/train.py", job.code, "s3://b/k"))
    )

    inner = json.loads(found["SM_TRAINING_ENV"])
    for machine in MACHINES:
        assert int(found.pop(f"SM_{machine.upper()}")) == inner.pop(machine)
    assert {**found, "SM_TRAINING_ENV": inner} == recorded["variables"]
    assert script_variables.arguments(job) == recorded["arguments"]


def test_several_hosts_get_tensorflows_own_variable(tmp_path: Path) -> None:
    config = tmp_path / "input/config"
    config.mkdir(parents=True)
    document = {"current_host": "algo-2", "hosts": ["algo-2", "algo-1"]}
    (config / "resourceconfig.json").write_text(json.dumps(document))
    told = script_variables.tf_config(read_job(tmp_path, {}))
    assert json.loads(told["TF_CONFIG"]) == {
        "cluster": {"worker": ["algo-1:8890", "algo-2:8890"]},
        "environment": "cloud",
        "task": {"type": "worker", "index": 1},
    }
    assert script_variables.tf_config(read_job(tmp_path, {"TF_CONFIG": "{}"})) == {}
