"""An engine without a model: deterministic, for tests of what stands around an engine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plumbline.engines.base import PATIENCE, Engine, as_the_models
from plumbline.engines.time_left import TimeLeft
from plumbline.signature import Signature, TensorSpec
from plumbline.vision.arrays import Tensors


@dataclass(frozen=True)
class FakeEngine:
    """Scores a picture by the share of its values in each of `classes` equal ranges of 0..1."""

    size: tuple[int, int] = (32, 32)
    classes: int = 10
    delay: float = 0.0
    name: str = "fake"

    @property
    def signature(self) -> Signature:
        """One picture in, one row of scores out."""
        return Signature(
            (TensorSpec("image", (None, *self.size, 3), "float32"),),
            (TensorSpec("scores", (None, self.classes), "float32"),),
        )

    @property
    def others(self) -> Mapping[str, Engine]:
        """None."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """The histogram of each picture, after `delay` seconds."""
        end = time.monotonic() + self.delay
        with as_the_models():
            while (rest := end - time.monotonic()) > 0:
                time.sleep(min(rest, PATIENCE, left()))
        return {"scores": np.stack([self.histogram(image) for image in inputs["image"]])}

    def histogram(self, image: np.ndarray) -> np.ndarray:
        """The share of values in each range."""
        counts, _ = np.histogram(image, bins=self.classes, range=(0, 1))
        return (counts / image.size).astype(np.float32)
