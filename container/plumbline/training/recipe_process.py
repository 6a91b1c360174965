"""Runs inside the process that `job_process` starts: a recipe, which may want all memory."""

from __future__ import annotations

import sys
from types import MappingProxyType

from plumbline.settings import environment
from plumbline.training import failure, recipes
from plumbline.training.classifiers.training_run import RECIPE as CLASSIFICATION
from plumbline.training.errors import TrainingError
from plumbline.training.job import Job, read_job, root_of
from plumbline.training.object_detectors.detection_run import RECIPE as DETECTION
from plumbline.training.segmenters.segmentation_run import RECIPE as SEGMENTATION
from plumbline.training.stopping import EXIT_STATUS, Stop, stoppable

RECIPES = MappingProxyType(
    {recipe.name: recipe for recipe in (CLASSIFICATION, DETECTION, SEGMENTATION)}
)
"""What this image trains without a script, by name."""

SEVERAL = (
    "Recipes train on one host: Keras 3 under MultiWorkerMirroredStrategy is broken upstream. Set "
    "InstanceCount to 1 and take an instance with more GPUs, or bring a script with a training "
    "loop of its own, which gets TF_CONFIG."
)


def main() -> None:
    """Train, and end with 0, with 143 where the job was stopped, or with the failure told."""
    variables = environment.variables()
    root = root_of(variables)
    with stoppable() as stop:
        status = failure.attempted(
            root / "output/failure", lambda: train(read_job(root, variables), stop)
        )
    sys.exit(status)


def train(job: Job, stop: Stop) -> int:
    """Let the recipe train that the job is of; the exit status. Raises what has gone wrong."""
    recipe = recipes.choose(job, RECIPES)
    if len(job.cluster.hosts) > 1:
        raise TrainingError(SEVERAL)
    recipe.train(job, stop)
    return EXIT_STATUS if stop.requested else 0


if __name__ == "__main__":
    main()
