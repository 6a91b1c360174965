"""`python -m plumbline.training.job_process`: what `docker run IMAGE train` comes to.

It starts what trains, a script or a recipe, and outlives it, so that every end is told.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from plumbline.settings import environment
from plumbline.training import failure, script_mode, script_program, supervision
from plumbline.training.job import ROOT_VARIABLE, Job, read_job, root_of
from plumbline.training.stopping import Stop, stoppable

SLIM = (
    "This is the image without TensorFlow (TARGET=slim), which serves packed archives and can't "
    "train: use the one that `make image` builds without TARGET=slim."
)


def main() -> None:
    """Train, and end with the status that SageMaker takes for success or failure."""
    variables = environment.variables()
    root = root_of(variables)
    if find_spec("tensorflow") is None:
        failure.report(root / "output/failure", SLIM)
        sys.exit(failure.FAILED)
    sys.exit(train(root, variables))


def train(root: Path, variables: Mapping[str, str]) -> int:
    """Run the job whose files are below `root`; its exit status. A failure is written there."""
    with stoppable() as stop:
        return failure.attempted(
            root / "output/failure", lambda: run(read_job(root, variables), stop)
        )


def run(job: Job, stop: Stop) -> int:
    """By a script if one is named, else by a recipe. Raises what has gone wrong."""
    if script_program.named(job):
        return script_mode.run(job, stop)
    program = supervision.Program(
        "The training",
        [sys.executable, "-m", "plumbline.training.recipe_process"],
        Path.cwd(),
        environment.for_program({ROOT_VARIABLE: str(job.root)}),
        keeps_errors=False,
    )
    ended = supervision.run(program, stop)
    if ended.status and not stop.requested and not failure.is_told(job.failure):
        failure.report(job.failure, ended.sentence)
    return ended.status


if __name__ == "__main__":
    main()
