"""Engines without a model, one for each task: what they answer can be told by the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plumbline.engines.fake import FakeEngine
from plumbline.engines.time_left import TimeLeft
from plumbline.signature import Signature, TensorSpec
from plumbline.vision.arrays import Tensors


@dataclass(frozen=True)
class Detector(FakeEngine):
    """As many boxes as a picture has bright quarters (of its red), one in each of those."""

    @property
    def signature(self) -> Signature:
        outputs = (
            TensorSpec("detection_boxes", (None, 4, 4), "float32"),
            TensorSpec("detection_classes", (None, 4), "float32"),
            TensorSpec("detection_scores", (None, 4), "float32"),
            TensorSpec("num_detections", (None,), "float32"),
        )
        return Signature(super().signature.inputs, outputs)

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        quarters = np.array(
            [[0, 0, 0.5, 0.5], [0, 0.5, 0.5, 1], [0.5, 0, 1, 0.5], [0.5, 0.5, 1, 1]]
        )
        red = inputs["image"][..., 0].reshape(-1, 2, 16, 2, 16).mean((2, 4)).reshape(-1, 4).round(1)
        return {
            "detection_boxes": np.stack([quarters] * len(red)).astype(np.float32),
            "detection_classes": np.tile(np.array([1, 2, 3, 4], np.float32), (len(red), 1)),
            "detection_scores": red,
            "num_detections": np.full(len(red), 4, np.float32),
        }


@dataclass(frozen=True)
class Segmenter(FakeEngine):
    """Class 1 where a picture is red."""

    @property
    def signature(self) -> Signature:
        mask = TensorSpec("mask", (None, 32, 32, 2), "float32")
        return Signature(super().signature.inputs, (mask,))

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        red = inputs["image"][..., 0]
        return {"mask": np.stack([1 - red, red], axis=-1)}


@dataclass(frozen=True)
class TwoOutputs(FakeEngine):
    """The mean of each channel, and a text."""

    @property
    def signature(self) -> Signature:
        mean, text = (
            TensorSpec("mean", (None, 3), "float32"),
            TensorSpec("text", (None,), "string"),
        )
        return Signature(super().signature.inputs, (mean, text))

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        mean = inputs["image"].mean((1, 2), dtype=np.float32)
        return {"mean": mean, "text": np.array([b"caf\xc3\xa9"] * len(mean), object)}


@dataclass(frozen=True)
class Whole(FakeEngine):
    """The picture itself."""

    @property
    def signature(self) -> Signature:
        return Signature(
            super().signature.inputs, (TensorSpec("same", (None, 32, 32, 3), "float32"),)
        )

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        return {"same": inputs["image"]}
