"""Pictures and their classes → a classifier that is packed, with what it was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.spec import model_spec as specs
from plumbline.training import (
    boxed_channels,
    channel_layouts,
    compiled_network,
    finished_model,
    masked_channels,
    recipe_steps,
)
from plumbline.training.classifiers import (
    augmentation,
    classified_loss,
    declared,
    hyperparameter_table,
    labelled_channels,
    metric_definitions,
    validation_report,
)
from plumbline.training.classifiers.labelled_batches import LabelledBatches
from plumbline.training.classifiers.metric_definitions import METRICS
from plumbline.training.classifiers.validation import ACCURACY, Validation
from plumbline.training.compiled_network import Wanted
from plumbline.training.decoded_pictures import DecodedPictures, How
from plumbline.training.epoch_lines import EpochLines
from plumbline.training.errors import TrainingError
from plumbline.training.fitting import Progress
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Job
from plumbline.training.networks import network_table
from plumbline.training.recipe_steps import Learning, say
from plumbline.training.recipes import Recipe
from plumbline.training.stopping import Stop

NOT_OURS = ("train_annotation", "validation_annotation", "label_map")
"""Channels that other algorithms have."""


def matches(job: Job) -> str:
    """By what it knows that the channels are its own."""
    if any(name in job.channels for name in NOT_OURS) or masked_channels.masks_in(job):
        return ""
    if boxed_channels.boxes_in(job):
        return boxed_channels.classes_in(job)
    found = next((name for name in channel_layouts.TRAIN if name in job.channels), "")
    return found and f"the channel {found} without annotations"


@dataclass
class Run:
    """A job that is under way: what was chosen, read and built."""

    job: Job
    stop: Stop
    values: Values
    declaration: str
    network_name: str
    classes: tuple[str, ...]
    train: DecodedPictures
    validation: Validation


def train(job: Job, stop: Stop) -> None:
    """Train. Raises a `TrainingError` for what the user can mend."""
    table = hyperparameter_table.table_for(job.channels)
    recipe_steps.run(table, job, lambda values, scratch: learn(begun(job, stop, values, scratch)))


def begun(job: Job, stop: Stop, values: Values, scratch: Path) -> Run:
    """Read and decode all pictures."""
    declaration, name = declared.declare(values)
    data = labelled_channels.read_data(job, values, scratch)
    preprocess = specs.parse(declaration).preprocess
    if preprocess.size is None:
        raise TrainingError("The pictures have no size; set size=224, say.")
    how = How(preprocess, preprocess.size)
    train, validation = (
        decoded(found.entries, what, how, values, stop)
        for found, what in ((data.train, "training"), (data.validation, "validation"))
    )
    count = len(data.classes)
    say(
        f"{count} classes, {len(train.entries):,} pictures to learn from, "
        f"{len(validation.entries):,} to validate on; {name}, {how.size[1]}×{how.size[0]} pixels."
    )
    judge = Validation(validation, count, values["multi_label"], values["top_k"])
    return Run(job, stop, values, declaration, name, data.classes, train, judge)


def decoded(
    entries: Sequence[Any], what: str, how: How, values: Values, stop: Stop
) -> DecodedPictures:
    """The pictures, each decoded once; those that can't be are told."""
    found = DecodedPictures(entries, how, recipe_steps.threads())
    recipe_steps.decode(found, what, values, stop)
    return found


def learn(run: Run) -> None:
    """Fit the network, and hand over the best epoch's."""
    values = run.values
    recipe_steps.prepare(values)
    what = run.network_name, run.train.how.shape, len(run.classes), values["dropout_rate"]
    wanted = Wanted(
        lambda: network_table.classifier(*what), lambda: classified_loss.loss_and_metrics(values)
    )
    networks = compiled_network.build(run.job, values, wanted)
    batches = LabelledBatches(
        run.train,
        len(run.classes),
        values["batch_size"],
        values["seed"],
        augmentation.augmentation(values, run.train.how.shape[-1]),
        values["use_weighted_loss"],
    )
    learning = Learning(
        run.job,
        run.stop,
        values,
        networks,
        batches,
        run.validation.metrics,
        ACCURACY,
        run.train.digest,
        EpochLines(metric_definitions.lines, values["epochs"], values["batch_size"]),
    )
    progress = learning.fit()
    finish(run, networks.in_float32(), progress)


def finish(run: Run, network: Any, progress: Progress) -> None:
    """Judge the network that is handed over, and hand it over."""
    scores = run.validation.scores(network)
    metrics = run.validation.judged(scores)
    say(f"The best epoch is {progress.best_epoch}: Validation-accuracy={metrics[ACCURACY]:.6g}")
    validation_report.write(
        run.job.output,
        run.validation,
        scores,
        run.classes,
        progress.history,
        summary(run, progress, metrics),
    )
    note = recipe_steps.note(
        run.values,
        {"train": run.train, "validation": run.validation.pictures},
        progress,
        recipe=declared.TASK,
        network=run.network_name,
        classes=list(run.classes),
        metrics=metrics,
    )
    finished = finished_model.Finished(
        network,
        run.declaration,
        run.classes,
        run.validation.pictures,
        run.validation.truth,
        note,
    )
    finished_model.hand_over(finished, run.job, run.stop, say)


def summary(run: Run, progress: Progress, metrics: Mapping[str, float]) -> dict[str, str]:
    """The first lines of the report."""
    height, width = run.train.how.size
    return {
        "accuracy in validation": f"{metrics[ACCURACY]:.2%}",
        "best epoch": f"{progress.best_epoch + 1} of {len(progress.history)}",
        "network": f"{run.network_name}, {width}×{height} pixels",
        "trained on": f"{len(run.train.entries):,} pictures",
        "validated on": f"{len(run.validation.pictures.entries):,} pictures",
        "classes": f"{len(run.classes):,}",
    }


RECIPE = Recipe(
    declared.TASK,
    hyperparameter_table.TABLE,
    matches,
    train,
    METRICS,
    labelled_channels.layouts,
)
