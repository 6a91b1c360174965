"""Pictures and their boxes → a detector that is packed, with what it was worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.spec import model_spec as specs
from plumbline.training import (
    boxed_channels,
    compiled_network,
    finished_model,
    recipe_steps,
)
from plumbline.training.compiled_network import Wanted
from plumbline.training.decoded_pictures import How
from plumbline.training.epoch_lines import EpochLines
from plumbline.training.errors import DataError
from plumbline.training.fitting import Progress
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Job
from plumbline.training.networks import single_shot
from plumbline.training.networks.single_shot import Design
from plumbline.training.object_detectors import (
    annotated_pictures,
    detection_declared,
    detection_report,
    detection_table,
    prior_clusters,
    prior_targets,
)
from plumbline.training.object_detectors.annotated_pictures import Entries
from plumbline.training.object_detectors.box_validation import BoxValidation, Judged
from plumbline.training.object_detectors.boxed_batches import BoxedBatches
from plumbline.training.object_detectors.boxed_pictures import BoxedPictures
from plumbline.training.object_detectors.detection_lines import (
    MAP,
    MAP_50_95,
    METRICS,
    DetectionLines,
)
from plumbline.training.recipe_steps import Learning, say
from plumbline.training.recipes import Recipe
from plumbline.training.reports import detection_page
from plumbline.training.stopping import Stop


@dataclass
class Run:
    """A job that is under way: what was chosen and read."""

    job: Job
    stop: Stop
    values: Values
    declaration: str
    classes: tuple[str, ...]
    train: BoxedPictures
    validation: BoxedPictures
    design: Design


def train(job: Job, stop: Stop) -> None:
    """Train. Raises a `TrainingError` for what the user can mend."""
    table = detection_table.table_for(job.channels)
    recipe_steps.run(table, job, lambda values, scratch: learn(begun(job, stop, values, scratch)))


def begun(job: Job, stop: Stop, values: Values, scratch: Path) -> Run:
    """Read and decode all pictures, and design the network by their boxes."""
    name, size = detection_declared.network_of(values), detection_declared.size_of(values)
    data = annotated_pictures.read_data(job, values, scratch)
    declaration = detection_declared.declare(values, len(data.classes))
    how = How(specs.parse(declaration).preprocess, size)
    train, validation = (
        decoded(entries, what, how, values, stop)
        for entries, what in ((data.train, "training"), (data.validation, "validation"))
    )
    say(
        f"{len(data.classes)} classes, {count(train):,} boxes in {len(train.entries):,} pictures "
        f"to learn from, {count(validation):,} boxes in {len(validation.entries):,} pictures to "
        f"validate on; SSD on {name}, {size[1]}×{size[0]} pixels."
    )
    sizes = prior_clusters.sizes_of([entry.label.learnt[0] for entry in train.entries], size)
    middles = prior_clusters.clusters(sizes, values["priors"], values["seed"])
    told = ", ".join(f"{width:.0f}×{height:.0f}" for width, height in middles)
    fit = prior_clusters.mean_overlap(sizes, middles)
    say(f"Priors in pixels of the input: {told}; they overlap the boxes by {fit:.0%} on average.")
    maps = prior_clusters.maps_for(middles, size)
    design = Design(name, how.shape, len(data.classes), maps)
    return Run(job, stop, values, declaration, data.classes, train, validation, design)


def decoded(entries: Entries, what: str, how: How, values: Values, stop: Stop) -> BoxedPictures:
    """The pictures, each decoded once. Raises `DataError` where too many are bad, or no boxes."""
    found = BoxedPictures(entries, how, recipe_steps.threads())
    recipe_steps.decode(found, what, values, stop)
    if not any(entry.label.chosen for entry in found.entries):
        raise DataError(f"The {what} data has no box in any of its pictures.")
    return found


def count(pictures: BoxedPictures) -> int:
    """How many boxes they have."""
    return sum(len(entry.label.class_ids) for entry in pictures.entries)


def learn(run: Run) -> None:
    """Fit the network, and hand over the best epoch's."""
    values, background = run.values, len(run.classes)
    recipe_steps.prepare(values)
    wanted = Wanted(
        lambda: single_shot.detector(run.design),
        prior_targets.loss_and_metrics,
        single_shot.arrays_behind,
        single_shot.body,
    )
    networks = compiled_network.build(run.job, values, wanted)
    blank = np.zeros((1, *run.design.shape), np.float32)
    priors = np.asarray(networks.served(blank, training=False))[0, :, -8:]
    judge = BoxValidation(
        run.validation, run.declaration, run.classes, priors, values["overlap_threshold"]
    )
    batches = BoxedBatches(run.train, background, priors, values)
    host = run.job.cluster.current
    told = DetectionLines(host, values["epochs"], batches.steps, len(run.train.entries))
    learning = Learning(
        run.job,
        run.stop,
        values,
        networks,
        batches,
        judge.metrics,
        MAP,
        run.train.digest,
        EpochLines(told.lines, values["epochs"], values["batch_size"]),
    )
    progress = learning.fit()
    finish(run, judge, networks.in_float32(), progress)


def finish(run: Run, judge: BoxValidation, network: Any, progress: Progress) -> None:
    """Judge the network that is handed over, and hand it over."""
    judged = judge.judged(network)
    metrics = judged.metrics
    say(
        f"The best epoch is {progress.best_epoch}: mAP@0.5={metrics[MAP]:.6g} "
        f"mAP@[.5:.95]={metrics[MAP_50_95]:.6g}"
    )
    facts, threshold = summary(run, progress, judged), run.values["score_threshold"]
    report = detection_report.report_of(run.validation, judged, run.classes, threshold)
    whole = replace(report, summary=facts, history=progress.history)
    detection_page.write_report(run.job.output, whole)
    note = recipe_steps.note(
        run.values,
        {"train": run.train, "validation": run.validation},
        progress,
        recipe=detection_declared.TASK,
        network=run.design.backbone,
        maps=[{"stride": each.stride, "priors": each.sides} for each in run.design.maps],
        classes=list(run.classes),
        metrics=metrics,
    )
    finished = finished_model.Finished(
        network, run.declaration, run.classes, run.validation, judge.truth, note
    )
    finished_model.hand_over(finished, run.job, run.stop, say)


def summary(run: Run, progress: Progress, judged: Judged) -> Mapping[str, str]:
    """The first lines of the report."""
    height, width = run.design.shape[:2]
    return {
        "mAP@0.5 in validation": f"{judged.metrics[MAP]:.2%}",
        "mAP@[.5:.95]": f"{judged.metrics[MAP_50_95]:.2%}",
        "best epoch": f"{progress.best_epoch + 1} of {len(progress.history)}",
        "network": f"SSD on {run.design.backbone}, {width}×{height} pixels",
        "trained on": f"{count(run.train):,} boxes in {len(run.train.entries):,} pictures",
        "validated on": (
            f"{count(run.validation):,} boxes in {len(run.validation.entries):,} pictures"
        ),
        "classes": f"{len(run.classes):,}",
    }


RECIPE = Recipe(
    detection_declared.TASK,
    detection_table.TABLE,
    boxed_channels.boxes_in,
    train,
    METRICS,
)
