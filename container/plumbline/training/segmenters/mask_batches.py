"""Batches of pictures and masks by epoch and step, moved together."""

from __future__ import annotations

import numpy as np

from plumbline.training.batches_ahead import Batch, BatchesAhead
from plumbline.training.readers.mask_files import IGNORED
from plumbline.training.seeded_layers import Augment
from plumbline.training.segmenters.masked_pictures import MaskedPictures
from plumbline.vision.arrays import Tensor
from plumbline.vision.masks import Mask

PICTURES, MASKS = "images", "segmentation_masks"
"""What Keras's layers call them."""


class MaskBatches(BatchesAhead):
    """What `fitting.Batches` wants: pictures, the class of each pixel, and which pixels count."""

    def __init__(
        self, pictures: MaskedPictures, size: int, seed: int, augment: Augment | None = None
    ) -> None:
        super().__init__(len(pictures.entries), size, seed)
        self.pictures, self.augment = pictures, augment

    def make(self, epoch: int, step: int) -> Batch:
        """`[n, height, width, channels]` float32; `[n, height, width]` int32 and float32."""
        pictures, masks = self.pictures.with_masks(self.chosen(epoch, step).tolist())
        if self.augment:
            pictures, masks = moved(self.augment, pictures, masks, (epoch, step))
        counted = masks != IGNORED
        classes = np.where(counted, masks, 0).astype(np.int32)
        return self.pictures.how.normalized(pictures), classes, counted.astype(np.float32)


def moved(
    augment: Augment, pictures: Tensor, masks: Mask, at: tuple[int, int]
) -> tuple[Tensor, Mask]:
    """Pictures and their masks, both moved alike; `at` is the epoch and the step."""
    found = augment({PICTURES: pictures, MASKS: masks[..., np.newaxis]}, *at)
    return found[PICTURES], found[MASKS][..., 0].astype(np.uint8)
