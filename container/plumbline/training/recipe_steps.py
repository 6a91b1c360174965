"""What every recipe does on its way: decode, prepare Keras, learn, describe."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.machine import cgroups
from plumbline.machine.quiet import muted
from plumbline.packing import library_versions
from plumbline.settings import environment
from plumbline.training import hyperparameters, optimization
from plumbline.training.checkpoints import Checkpoints
from plumbline.training.compiled_network import Networks
from plumbline.training.decoded_pictures import DecodedPictures
from plumbline.training.epoch_lines import EpochLines
from plumbline.training.fitting import Batches, Course, Fitting, Metrics, Progress, Stopped
from plumbline.training.hyperparameters import Table, Values
from plumbline.training.job import Job
from plumbline.training.reports import history_file
from plumbline.training.stopping import Stop

HISTORY = "history.csv"
"""In the folder that becomes output.tar.gz."""


def say(line: str) -> None:
    """A line of the log, at once."""
    print(line, flush=True)  # noqa: T201 - the job's log


def run(table: Table, job: Job, work: Callable[[Values, Path], None]) -> None:
    """Do the work of a recipe with the job's hyperparameters, and a folder that goes with it.

    Raises a `TrainingError` for what the user can mend.
    """
    values = hyperparameters.read(table, job.hyperparameters)
    for warning in values.warnings:
        say(f"Warning: {warning}")
    with tempfile.TemporaryDirectory(prefix="plumbline-data-") as scratch, suppress(Stopped):
        work(values, Path(scratch))
        return
    say("The job was stopped before its first epoch had ended; there is no model yet.")


def threads() -> int:
    """How many pictures are decoded at once."""
    return max(1, int(cgroups.machine().cores))


def decode(pictures: DecodedPictures, what: str, values: Values, stop: Stop) -> None:
    """Decode each picture once; those that can't be are told. Raises `DataError` and `Stopped`."""

    def done(_name: str) -> None:
        if stop.requested:
            raise Stopped

    pictures.check(values["max_bad"], done)
    for bad in pictures.bad:
        say(f"Warning: {bad.name} is left out of the {what} data: {bad.reason}")


def prepare(values: Values) -> None:
    """Import Keras, and set its seeds."""
    environment.quiet_frameworks()
    with muted():
        import keras
        import tensorflow as tf

    keras.utils.set_random_seed(values["seed"])
    if values["deterministic"]:
        tf.config.experimental.enable_op_determinism()


def course(values: Values, objective: str) -> Course:
    """How long to train, and by which metric of validation."""
    return Course(
        epochs=values["epochs"],
        objective=objective,
        patience=values["early_stopping_patience"] if values["early_stopping"] else None,
        tolerance=values["early_stopping_tolerance"],
        least=values["early_stopping_min_epochs"],
    )


def checkpoints(job: Job, values: Values, digest: str) -> Checkpoints | None:
    """Where the job's checkpoints are, if it keeps some; `digest` is that of its data."""
    if job.checkpoints is None:
        return None
    said = {"hyperparameters": dict(values.chosen), "data": digest}
    text = json.dumps(said, sort_keys=True, default=str)
    found = hashlib.sha256(text.encode()).hexdigest()
    return Checkpoints(job.checkpoints / "plumbline", found)


@dataclass(frozen=True)
class Learning:
    """A network, what it learns from, and by what it is judged: a metric of `evaluate`.

    `digest` is that of the data; `lines` hears of each epoch.
    """

    job: Job
    stop: Stop
    values: Values
    networks: Networks
    batches: Batches
    evaluate: Callable[[Any], Metrics]
    objective: str
    digest: str
    lines: EpochLines

    def fit(self) -> Progress:
        """Train; the network is that of the best epoch then, also where the job is to end before.

        Raises `Stopped` where it is to end before its first epoch has.
        """
        if self.networks.told:
            say(self.networks.told)

        def heard(epoch: int, metrics: Metrics) -> None:
            self.lines.epoch(epoch, metrics)
            history_file.write(self.job.output / HISTORY, fitting.progress.history)

        fitting = Fitting(
            self.networks.learning,
            self.batches,
            lambda: self.evaluate(self.networks.in_float32()),
            course(self.values, self.objective),
            optimization.learning_rates(self.values, self.batches.steps),
            checkpoints(self.job, self.values, self.digest),
            lambda: self.stop.requested,
            heard,
            self.lines.step,
        )
        try:
            return fitting.run()
        except Stopped:
            progress = fitting.take_best()
            if progress.best is None:
                raise
            say("The job is to end; the best epoch so far is written.")
            return progress


def note(
    values: Values,
    pictures: Mapping[str, DecodedPictures],
    progress: Progress,
    **more: Any,
) -> dict[str, Any]:
    """What training.json says of every job, and more; the pictures are those of each side."""
    return {
        **more,
        "hyperparameters": dict(values.chosen),
        "given": sorted(values.given),
        "data": {
            side: {"pictures": len(found.entries), "sha256": found.digest}
            for side, found in pictures.items()
        },
        "epochs": len(progress.history),
        "best_epoch": progress.best_epoch,
        "versions": library_versions.installed(),
    }
