"""How well the network does on the validation pictures, by the path of requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plumbline.parity import agreement
from plumbline.results.task_results import Detections
from plumbline.signature import Signature, TensorSpec
from plumbline.spec import model_spec as specs
from plumbline.tasks.detection import DetectionTask
from plumbline.training.object_detectors.boxed_pictures import BoxedPictures
from plumbline.training.object_detectors.detection_lines import LOCALIZATION, MAP, MAP_50_95
from plumbline.training.object_detectors.prior_targets import cross_entropy, smooth_l1, targets
from plumbline.vision.arrays import Tensor

LOSS, ENTROPY = "validation:loss", "validation:cross_entropy"

LEAST_SCORE = 0.01
"""Boxes that are less sure than this are not looked at, as usual for COCO's measures."""

SIZE = 32


@dataclass
class Judged:
    """What was found in all pictures, and what that is worth."""

    found: Sequence[Detections]
    metrics: dict[str, float]
    precisions: dict[int, Tensor]
    """COCO's average precision of each class with boxes, at each of its overlaps `[10]`."""


@dataclass
class BoxValidation:
    """Validation pictures; nothing is augmented, and the server's own task reads the outputs."""

    pictures: BoxedPictures
    declaration: str
    classes: Sequence[str]
    priors: Tensor
    matched: float
    compiled: Any = field(init=False, default=None)
    task: DetectionTask = field(init=False)

    def __post_init__(self) -> None:
        self.task = DetectionTask(specs.parse(self.declaration), tuple(self.classes))
        rows = (None, len(self.priors), 4 + len(self.classes) + 1 + 8)
        inputs = TensorSpec("pictures", (None, *self.pictures.how.shape), "float32")
        self.task.fit(Signature((inputs,), (TensorSpec("rows", rows, "float32"),)))

    @property
    def truth(self) -> Tensor:
        """`[n, classes]` float32: 1 for each class that a picture has."""
        shown = np.zeros((len(self.pictures.entries), len(self.classes)), np.float32)
        for row, entry in zip(shown, self.pictures.entries, strict=True):
            row[list(entry.label.class_ids)] = 1
        return shown

    def metrics(self, network: Any) -> dict[str, float]:
        """MAP at an overlap of 0.5, COCO's over all overlaps, and the losses."""
        return self.judged(network).metrics

    def judged(self, network: Any) -> Judged:
        """The same, and what was found."""
        found: list[Detections] = []
        losses: list[Tensor] = []
        for chosen, raw in self.outputs(network):
            labels = [self.pictures.entries[number].label for number in chosen]
            geometries = [label.geometry for label in labels]
            options = {"score_threshold": LEAST_SCORE}
            found += self.task.results({"rows": raw}, geometries, options)  # type: ignore[arg-type]
            wanted = np.stack([self.wanted(label) for label in labels])
            losses.append(np.stack([smooth_l1(wanted, raw), cross_entropy(wanted, raw)], axis=1))
        pairs = [
            (entry.label.truth, each.array())
            for entry, each in zip(self.pictures.entries, found, strict=True)
        ]
        precisions = agreement.average_precisions(pairs, agreement.COCO_OVERLAPS.tolist())
        every = np.stack(list(precisions.values()))
        localization, entropy = np.concatenate(losses).astype(np.float64).mean(axis=0).tolist()
        metrics = {
            MAP: float(every[:, 0].mean()),
            MAP_50_95: float(every.mean()),
            LOSS: localization + entropy,
            LOCALIZATION: localization,
            ENTROPY: entropy,
        }
        return Judged(found, metrics, precisions)

    def wanted(self, label: Any) -> Tensor:
        """What the priors are to say of a picture."""
        boxes, class_ids = label.learnt
        return targets(boxes, class_ids, self.priors, len(self.classes), self.matched)

    def outputs(self, network: Any) -> Iterator[tuple[range, Tensor]]:
        """The network's rows `[n, priors, columns]`, some pictures after the other."""
        if self.compiled is None:
            self.compiled = answering(network)
        count = len(self.pictures.entries)
        for begin in range(0, count, SIZE):
            chosen = range(begin, min(begin + SIZE, count))
            batch = self.pictures.how.normalized(self.pictures.batch(chosen))
            yield chosen, np.asarray(self.compiled(batch))


def answering(network: Any) -> Any:
    """The network as a function; `predict_on_batch` would answer once for each GPU."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def answer(pictures: Any) -> Any:
        return network(pictures, training=False)

    return answer
