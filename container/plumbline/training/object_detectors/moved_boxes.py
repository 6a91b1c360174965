"""Pictures cut out and mirrored at random, and their boxes with them; the colours of them altered.

What is seen is chosen for each picture by the numbers of epoch, step and picture, so that a job
that goes on in the middle of an epoch sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.training.hyperparameters import Values
from plumbline.training.seeded_layers import Augment, seeded
from plumbline.vision.arrays import Tensor

RANGE = (0, 255)

GROUND = 128.0
"""What is seen around a picture that is made smaller."""

WHOLE = 0.3
"""The share of pictures of which all is seen, as it is."""

SCALES = (0.5, 1.4)
"""The side of what is seen, as a share of the picture's; both sides differ by at most `ASPECT`."""

ASPECT = 1.25

SEEN = 0.5
"""The share of a box that has to be seen, for it to be looked for."""

Boxes = NDArray[np.float64]
Window = NDArray[np.float64]
"""Left, top, right and bottom of what is seen, as shares of the picture: left of 1 and right of 0
is the picture mirrored.
"""


class Augmentation:
    """What a job asks for: `kinds` may have crops and colours, `flips` axes."""

    def __init__(self, values: Values, channels: int) -> None:
        self.seed = values["seed"]
        kind = values["augmentation_type"]
        flip = values["augmentation_random_flip"] or ("none" if kind == "none" else "horizontal")
        self.crops = kind in ("crop", "crop_color")
        self.across = flip in ("horizontal", "horizontal_and_vertical")
        self.down = flip in ("vertical", "horizontal_and_vertical")
        self.colors = colors(self.seed) if kind == "crop_color" and channels > 1 else None

    def moved(
        self, pictures: Tensor, boxes: Sequence[Boxes], epoch: int, step: int
    ) -> tuple[Tensor, list[tuple[Boxes, NDArray[np.bool_]]]]:
        """Pictures `[n, height, width, channels]` in 0..255, with boxes from 0 to 1 in each.

        What comes out of the latter are all boxes, and which of them are still seen.
        """
        values = pictures
        if self.crops or self.across or self.down:
            windows = [
                self.window(each, np.random.default_rng([self.seed, epoch, step, number]))
                for number, each in enumerate(boxes)
            ]
            values = seen(values, np.array(windows))
        else:
            windows = [np.array([0.0, 0, 1, 1])] * len(boxes)
        if self.colors:
            values = self.colors(values, epoch, step)
        found = [within(each, window) for each, window in zip(boxes, windows, strict=True)]
        return values, found

    def window(self, boxes: Boxes, rng: np.random.Generator) -> Window:
        """What is to be seen of a picture with such boxes: at least one of them wholly."""
        window = np.array([0.0, 0, 1, 1])
        if self.crops and rng.random() >= WHOLE:
            sides = rng.uniform(*SCALES) * ASPECT ** rng.uniform(-0.5, 0.5, 2)
            low, high = np.minimum(0, 1 - sides), np.maximum(0, 1 - sides)
            if len(boxes):
                kept = boxes[rng.integers(len(boxes))]
                sides = np.maximum(sides, kept[2:] - kept[:2])
                low, high = np.minimum(0, 1 - sides), np.maximum(0, 1 - sides)
                low = np.maximum(low, kept[2:] - sides)
                high = np.maximum(low, np.minimum(high, kept[:2]))
            corner = rng.uniform(low, high)
            window = np.concatenate([corner, corner + sides])
        if self.across and rng.random() < 0.5:
            window = window[[2, 1, 0, 3]]
        if self.down and rng.random() < 0.5:
            window = window[[0, 3, 2, 1]]
        return window


def within(boxes: Boxes, window: Window) -> tuple[Boxes, NDArray[np.bool_]]:
    """The boxes as shares of what is seen, and which of them are seen."""
    corner, side = window[:2], window[2:] - window[:2]
    points = np.sort((boxes.reshape(-1, 2, 2) - corner) / side, axis=1)
    moved = points.reshape(-1, 4)
    cut = np.clip(moved, 0, 1)
    areas = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (cut, moved)]
    return cut, np.asarray(areas[0] >= SEEN * areas[1])


def seen(pictures: Tensor, windows: Tensor) -> Tensor:
    """What the windows `[n, 4]` show, each as large as the pictures: float32."""
    import tensorflow as tf

    size = np.array(pictures.shape[1:3])
    corners = windows[:, [1, 0, 3, 2]]
    # TensorFlow counts from the middle of the first pixel to that of the last.
    half = (corners[:, 2:] - corners[:, :2]) / 2
    first, last = corners[:, :2] * size + half - 0.5, corners[:, 2:] * size - half - 0.5
    boxes = np.concatenate([first, last], axis=1) / np.tile(np.maximum(size - 1, 1), 2)
    found: Tensor = tf.image.crop_and_resize(
        tf.constant(pictures, tf.float32),
        boxes.astype(np.float32),
        np.arange(len(pictures), dtype=np.int32),
        size.astype(np.int32),
        extrapolation_value=GROUND,
    ).numpy()
    return found


def colors(seed: int) -> Augment:
    """Brightness, contrast, saturation and hue, altered."""
    import keras

    layer: Any = keras.layers.RandomColorJitter(RANGE, 0.15, 0.2, (0.4, 0.6), 0.1)
    return seeded([layer], seed)
