"""How well the network does on the validation pictures, by the path of requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.results.task_results import Segments
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.model_spec import ModelSpec
from plumbline.tasks.base import Task
from plumbline.tasks.task_table import fitted
from plumbline.training.readers.mask_files import IGNORED
from plumbline.training.segmenters.masked_pictures import MaskedPictures
from plumbline.vision.arrays import Tensor
from plumbline.vision.geometry import Geometry
from plumbline.vision.masks import Mask

MEAN_IOU, PIXEL_ACCURACY, LOSS = "validation:mIOU", "validation:pixel_accuracy", "validation:loss"

OUTPUT = "logits"

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Judgement:
    """What came out: for each picture how often each class (row) was taken for each (column).

    `counts` is `[n, classes, classes + 1]`; the last column is of pixels that the network did not
    see, as where `fit` cuts margins off. `loss` is the mean over the pixels of the network's size.
    """

    counts: Counts
    loss: float

    @property
    def ious(self) -> Tensor:
        """Intersection over union of each class over all pictures `[classes]`; NaN of none."""
        return ious(self.counts.sum(axis=0))

    @property
    def metrics(self) -> dict[str, float]:
        """Mean IoU and pixel accuracy at the size of the pictures as they were sent, and loss."""
        whole = self.counts.sum(axis=0)
        return {MEAN_IOU: mean_iou(whole), PIXEL_ACCURACY: pixel_accuracy(whole), LOSS: self.loss}


def ious(counts: Counts) -> Tensor:
    """Intersection over union of each class `[classes]`; NaN where it is nowhere."""
    classes = len(counts)
    hits = counts[:, :classes].diagonal().astype(np.float64)
    either = counts.sum(axis=1) + counts[:, :classes].sum(axis=0) - hits
    found: Tensor = np.divide(hits, either, out=np.full(classes, np.nan), where=either > 0)
    return found


def mean_iou(counts: Counts) -> float:
    """The mean over the classes that are somewhere, as `keras.metrics.MeanIoU` has it."""
    found = ious(counts)
    there = found[~np.isnan(found)]
    return float(there.mean()) if there.size else 0.0


def pixel_accuracy(counts: Counts) -> float:
    """The share of pixels that are right, of those that count."""
    return float(counts[:, : len(counts)].trace() / max(1, counts.sum()))


def confused(truth: Mask, found: Mask, classes: int) -> Counts:
    """How often each class of a mask was taken for each: `[classes, classes + 1]` int64."""
    counted = truth != IGNORED
    columns = np.minimum(found[counted].astype(np.int64), classes)
    cells = truth[counted].astype(np.int64) * (classes + 1) + columns
    counts: Counts = np.bincount(cells, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


@dataclass
class MaskValidation:
    """Validation pictures, and the task by which the server reads the network's answers.

    Nothing is augmented, and the network computes in float32, as the server does.
    """

    pictures: MaskedPictures
    spec: ModelSpec
    labels: tuple[str, ...]
    size: int = 16
    task: Task = field(init=False)
    compiled: Any = field(init=False, default=None)
    """The network as a function, once it has been asked."""

    def __post_init__(self) -> None:
        height, width, _ = self.pictures.how.shape
        logits = TensorSpec(OUTPUT, (None, height, width, len(self.labels)), "float32")
        fed = TensorSpec("pictures", (None, *self.pictures.how.shape), "float32")
        self.task = fitted(self.spec, self.labels, Signature((fed,), (logits,)))

    @property
    def truth(self) -> Tensor:
        """`[n, classes]`: 1 for each class that a picture has."""
        rows = np.zeros((len(self.pictures.entries), len(self.labels)), np.float32)
        for row, entry in zip(rows, self.pictures.entries, strict=True):
            row[list(entry.label.classes)] = 1
        return rows

    def metrics(self, network: Any) -> dict[str, float]:
        """Mean IoU, pixel accuracy and loss."""
        return self.judged(network).metrics

    def judged(self, network: Any) -> Judgement:
        """What the network makes of all the pictures."""
        counts, loss, pixels = [], 0.0, 0
        for numbers in self.batches():
            logits, grids = self.asked(network, numbers)
            lost, counted = losses(logits, grids)
            loss, pixels = loss + lost, pixels + counted
            truths = self.pictures.truths(numbers)
            for one, (truth, geometry) in zip(logits, truths, strict=True):
                counts.append(confused(truth, self.mask(one, geometry), len(self.labels)))
        return Judgement(np.stack(counts), loss / max(1, pixels))

    def batches(self) -> Iterator[range]:
        """The numbers of the pictures that are looked at together."""
        count = len(self.pictures.entries)
        for begin in range(0, count, self.size):
            yield range(begin, min(begin + self.size, count))

    def asked(self, network: Any, numbers: range) -> tuple[Tensor, Mask]:
        """The network's logits `[n, height, width, classes]`, and what is true there."""
        if self.compiled is None:
            self.compiled = answering(network)
        pictures, grids = self.pictures.with_masks(numbers)
        return np.asarray(self.compiled(self.pictures.how.normalized(pictures))), grids

    def mask(self, logits: Tensor, geometry: Geometry) -> Mask:
        """What the server answers of one picture: the class of each pixel, upright."""
        [result] = self.task.results({OUTPUT: logits[np.newaxis]}, [geometry], {})
        if not isinstance(result, Segments):
            raise TypeError(type(result))
        return result.mask


def losses(logits: Tensor, truth: Mask) -> tuple[float, int]:
    """The cross entropy of the pixels that count, summed up, and how many those are."""
    counted = truth != IGNORED
    there = logits[counted].astype(np.float64)
    there -= there.max(axis=-1, keepdims=True)
    sums = np.log(np.exp(there).sum(axis=-1))
    each = sums - there[np.arange(len(there)), truth[counted]]
    return float(each.sum()), len(there)


def answering(network: Any) -> Any:
    """The network's logits as a function of pictures."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def answer(pictures: Any) -> Any:
        return network(pictures, training=False)

    return answer
