"""Batches of pictures with boxes, by epoch and step."""

from __future__ import annotations

import numpy as np

from plumbline.training.batches_ahead import Batch, BatchesAhead
from plumbline.training.hyperparameters import Values
from plumbline.training.object_detectors.boxed_pictures import BoxedPictures
from plumbline.training.object_detectors.moved_boxes import Augmentation
from plumbline.training.object_detectors.prior_targets import targets
from plumbline.vision.arrays import Tensor


class BoxedBatches(BatchesAhead):
    """Pictures, and what each of the `priors` `[priors, 8]` is to say: `[n, priors, 5]`."""

    def __init__(
        self, pictures: BoxedPictures, background: int, priors: Tensor, values: Values
    ) -> None:
        super().__init__(len(pictures.entries), values["batch_size"], values["seed"])
        self.pictures, self.background, self.priors = pictures, background, priors
        self.matched = values["overlap_threshold"]
        self.augmentation = Augmentation(values, pictures.how.shape[-1])
        self.boxes = [entry.label.learnt for entry in pictures.entries]

    def make(self, epoch: int, step: int) -> Batch:
        """One batch, here and now."""
        chosen = self.chosen(epoch, step).tolist()
        boxes = [self.boxes[number] for number in chosen]
        pictures, moved = self.augmentation.moved(
            self.pictures.batch(chosen), [corners for corners, _ in boxes], epoch, step
        )
        wanted = [
            targets(corners[there], class_ids[there], self.priors, self.background, self.matched)
            for (corners, there), (_, class_ids) in zip(moved, boxes, strict=True)
        ]
        return self.pictures.how.normalized(pictures), np.stack(wanted), None
