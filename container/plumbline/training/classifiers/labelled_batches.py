"""Batches of labelled pictures by epoch and step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from plumbline.training.batches_ahead import Batch, BatchesAhead
from plumbline.training.decoded_pictures import DecodedPictures
from plumbline.training.seeded_layers import Augment
from plumbline.vision.arrays import Tensor


class LabelledBatches(BatchesAhead):
    """Pictures, `[n, classes]` of what is to come out, and weights `[n]` or nothing."""

    def __init__(
        self,
        pictures: DecodedPictures,
        classes: int,
        size: int,
        seed: int,
        augment: Augment | None = None,
        weighted: bool = False,
    ) -> None:
        super().__init__(len(pictures.entries), size, seed)
        self.pictures, self.augment = pictures, augment
        self.targets = targets([entry.label for entry in pictures.entries], classes)
        self.weights = weights(self.targets) if weighted else None

    def make(self, epoch: int, step: int) -> Batch:
        """One batch, here and now."""
        chosen = self.chosen(epoch, step)
        values = self.pictures.batch(chosen.tolist())
        if self.augment:
            values = self.augment(values, epoch, step)
        weights = None if self.weights is None else self.weights[chosen]
        return self.pictures.how.normalized(values), self.targets[chosen], weights


def targets(labels: Sequence[Any], classes: int) -> Tensor:
    """What is to come out: 1 for each class of a picture, 0 for all others; float32."""
    if isinstance(labels[0], tuple):
        return np.asarray(labels, np.float32)
    rows: Tensor = np.eye(classes, dtype=np.float32)[np.asarray(labels)]
    return rows


def weights(targets: Tensor) -> Tensor:
    """How much each picture counts: the rarer its classes, the more; 1 on average. `[n]` float32.

    For one class a picture these are scikit-learn's "balanced" weights.
    """
    several = targets.sum(axis=-1)
    rarity = len(targets) / np.maximum(targets.sum(axis=0), 1)
    each = (targets * rarity).sum(axis=-1) / np.maximum(several, 1)
    each[several == 0] = 1
    return np.asarray(each / each.mean(), np.float32)
