"""container/serve, the image's one entry: what it starts for which arguments."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ENTRY = Path(__file__).parents[2] / "container/serve"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with stand-ins that say how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("gunicorn", "python3"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@" "[$OPENBLAS_NUM_THREADS]"\n')
        (folder / name).chmod(0o755)
    return folder


def started(programs: Path, *arguments: str) -> str:
    """What is run with these arguments, below the root beside the programs."""
    own = {"PATH": f"{programs}:{os.environ['PATH']}", "SAGEMAKER_BASE_DIR": str(programs.parent)}
    environment = {name: text for name, text in os.environ.items() if "OPENBLAS" not in name}
    command = [ENTRY, *arguments]
    return subprocess.check_output(command, env={**environment, **own}, text=True).strip()


SERVES = "gunicorn --config python:plumbline.web.gunicorn_settings [1]"
TRAINS = "python3 -m plumbline.training.job_process []"


def test_it_serves(programs: Path) -> None:
    assert started(programs, "serve") == SERVES


def test_it_trains(programs: Path) -> None:
    assert started(programs, "train") == TRAINS


def test_without_an_argument_it_trains_where_a_job_is(programs: Path) -> None:
    assert started(programs) == SERVES
    (programs.parent / "input/config").mkdir(parents=True)
    assert started(programs) == TRAINS


def test_anything_else_is_run_as_it_is(programs: Path) -> None:
    assert started(programs, "sh", "-c", 'echo "$1|$2"', "x", "a b", "c") == "a b|c"
