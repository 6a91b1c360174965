"""Pictures and their masks → a segmenter that is packed, with what it was worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from plumbline.spec import model_spec as specs
from plumbline.training import (
    class_labels,
    compiled_network,
    finished_model,
    masked_channels,
    recipe_steps,
)
from plumbline.training.compiled_network import Wanted
from plumbline.training.decoded_pictures import How
from plumbline.training.epoch_lines import EpochLines
from plumbline.training.errors import DataError, TrainingError
from plumbline.training.fitting import Progress
from plumbline.training.hyperparameters import Values
from plumbline.training.job import Job
from plumbline.training.networks import u_net
from plumbline.training.recipe_steps import Learning, say
from plumbline.training.recipes import Recipe
from plumbline.training.seeded_layers import Augment, for_channels, of_type, seeded
from plumbline.training.segmenters import (
    annotated_channels,
    mask_report,
    quality_lines,
    segmentation_spec,
    segmentation_table,
)
from plumbline.training.segmenters.mask_batches import MaskBatches
from plumbline.training.segmenters.mask_validation import MEAN_IOU, PIXEL_ACCURACY, MaskValidation
from plumbline.training.segmenters.masked_pictures import MaskedPictures
from plumbline.training.stopping import Stop


@dataclass
class Run:
    """A job that is under way: what was chosen, read and built."""

    job: Job
    stop: Stop
    values: Values
    declaration: str
    network_name: str
    labels: tuple[str, ...]
    train: MaskedPictures
    validation: MaskValidation


def train(job: Job, stop: Stop) -> None:
    """Train. Raises a `TrainingError` for what the user can mend."""
    recipe_steps.run(
        segmentation_table.TABLE,
        job,
        lambda values, scratch: learn(begun(job, stop, for_rmsprop(values), scratch)),
    )


def for_rmsprop(values: Values) -> Values:
    """The values with the momentum that rmsprop has by a name of its own."""
    if values["optimizer"] != "rmsprop":
        return values
    return replace(values, chosen={**values.chosen, "momentum": values["gamma2"]})


def begun(job: Job, stop: Stop, values: Values, scratch: Path) -> Run:
    """Read and decode all pictures and masks."""
    declaration, name = segmentation_spec.declare(values)
    data = annotated_channels.read_data(job, values, scratch)
    spec = specs.parse(declaration)
    if spec.preprocess.size is None:
        raise TrainingError("The pictures have no size; set size=240, say.")
    how = How(spec.preprocess, spec.preprocess.size)
    learnt = MaskedPictures(data.train, how, recipe_steps.threads(), values["num_classes"])
    recipe_steps.decode(learnt, "training", values, stop)
    labels = named(learnt, data.names, values)
    judged = MaskedPictures(data.validation, how, recipe_steps.threads(), len(labels))
    recipe_steps.decode(judged, "validation", values, stop)
    say(
        f"{len(labels)} classes, {len(learnt.entries):,} pictures to learn from, "
        f"{len(judged.entries):,} to validate on; {name}, {how.size[1]}×{how.size[0]} pixels."
    )
    judge = MaskValidation(judged, spec, labels, values["validation_mini_batch_size"])
    return Run(job, stop, values, declaration, name, labels, learnt, judge)


def named(found: MaskedPictures, told: Mapping[int, str], values: Values) -> tuple[str, ...]:
    """What the classes are called: as given, as the manifest tells, or by their numbers.

    Raises `DataError`.
    """
    there = {number for entry in found.entries for number in entry.label.classes}
    given: tuple[str, ...] = values["class_names"] or ()
    count = values["num_classes"] or len(given) or max(*there, *told, -1, -1) + 1
    seen = max(there, default=-1) + 1
    if given and not len(given) == count >= seen:
        raise DataError(
            f"class_names has {len(given)} names, and there are {max(count, seen)} classes, "
            "counted from 0; give one name for each."
        )
    if count < 2:
        raise DataError(
            "The masks of the training data have one class only; a segmenter has to have two to "
            "tell apart."
        )
    names = given or tuple(told.get(number, str(number)) for number in range(count))
    class_labels.demand_lines(names)
    if missing := [names[number] for number in range(count) if number not in there]:
        say(f"Warning: no mask of the training data has a pixel of {', '.join(missing[:10])}.")
    return names


def learn(run: Run) -> None:
    """Fit the network, and hand over the best epoch's."""
    values = run.values
    recipe_steps.prepare(values)
    what = run.network_name, run.train.how.shape, len(run.labels)
    wanted = Wanted(lambda: u_net.segmenter(*what), loss_and_metrics, u_net.arrays_behind)
    networks = compiled_network.build(run.job, values, wanted)
    batches = MaskBatches(
        run.train, values["batch_size"], values["seed"], augmentation(values, what[1][-1])
    )
    lines = quality_lines.lines_of(batches.count, run.job.cluster.current, values["epochs"])
    learning = Learning(
        run.job,
        run.stop,
        values,
        networks,
        batches,
        run.validation.metrics,
        MEAN_IOU,
        run.train.digest,
        EpochLines(lines, values["epochs"], values["batch_size"]),
    )
    progress = learning.fit()
    finish(run, networks.in_float32(), progress)


def augmentation(values: Values, channels: int) -> Augment | None:
    """What a job asks for; None for nothing."""
    layers = for_channels(of_type(values["augmentation_type"]), channels)
    return seeded(layers, values["seed"]) if layers else None


def loss_and_metrics() -> tuple[Any, list[Any]]:
    """The cross entropy of the pixels that count; they have a weight of 1, others of 0."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    return loss, []


def finish(run: Run, network: Any, progress: Progress) -> None:
    """Judge the network that is handed over, and hand it over."""
    judgement = run.validation.judged(network)
    metrics = judgement.metrics
    say(
        f"The best epoch is {progress.best_epoch}: mean IoU {metrics[MEAN_IOU]:.6g}, "
        f"pixel accuracy {metrics[PIXEL_ACCURACY]:.6g}."
    )
    mask_report.write(
        run.job.output,
        run.validation,
        judgement,
        network,
        progress.history,
        summary(run, progress, metrics),
    )
    note = recipe_steps.note(
        run.values,
        {"train": run.train, "validation": run.validation.pictures},
        progress,
        recipe=segmentation_spec.TASK,
        network=run.network_name,
        classes=list(run.labels),
        metrics=metrics,
    )
    finished = finished_model.Finished(
        network,
        run.declaration,
        run.labels,
        run.validation.pictures,
        run.validation.truth,
        note,
    )
    finished_model.hand_over(finished, run.job, run.stop, say)


def summary(run: Run, progress: Progress, metrics: Mapping[str, float]) -> dict[str, str]:
    """The first lines of the report."""
    height, width = run.train.how.size
    return {
        "mean IoU in validation": f"{metrics[MEAN_IOU]:.2%}",
        "pixel accuracy": f"{metrics[PIXEL_ACCURACY]:.2%}",
        "best epoch": f"{progress.best_epoch + 1} of {len(progress.history)}",
        "network": f"{run.network_name}, {width}×{height} pixels",
        "trained on": f"{len(run.train.entries):,} pictures",
        "validated on": f"{len(run.validation.pictures.entries):,} pictures",
        "classes": f"{len(run.labels):,}",
    }


RECIPE = Recipe(
    segmentation_spec.TASK,
    segmentation_table.TABLE,
    masked_channels.masks_in,
    train,
    quality_lines.METRICS,
)
