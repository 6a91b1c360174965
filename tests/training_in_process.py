"""Training jobs that need no processes of their own, for tests that need many."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from plumbline.cli import main
from plumbline.training import recipes, supervision
from plumbline.training.job import ROOT_VARIABLE, read_job
from plumbline.training.recipe_process import RECIPES
from plumbline.training.stopping import Stop
from plumbline.training.supervision import Ended, Program

RECIPE_PROCESS = "plumbline.training.recipe_process"


def recipes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes train in this process; scripts have one of their own, as ever."""
    elsewhere = supervision.run

    def run(program: Program, stop: Stop) -> Ended:
        if RECIPE_PROCESS not in program.command:
            return elsewhere(program, stop)
        job = read_job(Path(program.environment[ROOT_VARIABLE]), {})
        recipes.choose(job, RECIPES).train(job, stop)
        return Ended(program.name, 0)

    monkeypatch.setattr(supervision, "run", run)


def plumbline(*words: Any) -> None:
    """A command of Plumbline's, in this process."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    sys.stdout.write(done.output)
