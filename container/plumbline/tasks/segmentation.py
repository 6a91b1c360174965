"""Scores of each pixel → the class of each pixel of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plumbline.errors import SpecError
from plumbline.parity import agreement
from plumbline.parity.agreement import Pairs
from plumbline.results import palette
from plumbline.results.task_results import Result, Segments
from plumbline.signature import Signature, TensorSpec
from plumbline.spec.labels import numbers_of
from plumbline.tasks.base import Task
from plumbline.tasks.output_choice import check_input, chosen_output, named_classes
from plumbline.tasks.ways_out import OTHER_FORM
from plumbline.vision import masks
from plumbline.vision.activations import ACTIVATIONS
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.geometry import Geometry
from plumbline.vision.masks import Mask

FORM = "[batch, height, width, classes]"


class SegmentationTask(Task):
    """One output of scores `[batch, height, width, classes]`, on any grid.

    With one channel, or `[batch, height, width]`, floats are the probability of class 1, and whole
    numbers are the classes themselves.
    """

    output: str
    classes: int
    names: Mapping[int, str]
    numbered: bool
    """Whether the model gives the classes themselves."""

    def fit(self, signature: Signature) -> None:
        """Take the output that holds the scores; check labels, palette and activation by it."""
        check_input("segmentation", signature)
        found = chosen_output("segmentation", FORM, self.spec, signature)
        if not is_grid(found):
            raise SpecError(
                f'task = "segmentation" needs an output {FORM}, of at most {masks.UNSEEN} classes, '
                f"or [batch, height, width], but the model's is {found}. {OTHER_FORM}"
            )
        self.output = found.name
        self.numbered = is_numbered(found)
        self.classes = self.count_of(found)
        self.names = named_classes(self.labels, self.classes, found)
        self.check_palette()
        self.check_activation(found)

    @classmethod
    def resembles(cls, signature: Signature) -> bool:
        """Whether an output is laid out as a grid of scores, or of classes."""
        return any(is_grid(output) for output in signature.outputs)

    def count_of(self, found: TensorSpec) -> int:
        """How many classes there are; where the output does not tell, the labels do."""
        if self.numbered:
            named = numbers_of(self.labels or self.spec.segmentation.palette or ())
            return 2 if found.dtype == "bool" else named or masks.UNSEEN
        channels = channels_of(found)
        if channels is None and self.labels:
            return numbers_of(self.labels)
        if channels is None:
            raise SpecError(
                f"The model's output {found} does not say how many classes it has; "
                "say it in plumbline.toml by labels, one for each class."
            )
        return max(channels, 2)

    def check_palette(self) -> None:
        """Raise `SpecError` if colours are declared, and not one for each class."""
        declared = self.spec.segmentation.palette
        if declared and len(declared) != self.classes:
            raise SpecError(
                f"plumbline.toml: segmentation.palette has {len(declared)} colours, but there are "
                f"{self.classes} classes. Give one colour for each class, in the order of training."
            )

    def check_activation(self, found: TensorSpec) -> None:
        """Raise `SpecError` if the activation makes no sense of such an output."""
        activation = self.spec.segmentation.activation
        if self.numbered and activation != "none":
            raise SpecError(
                f"plumbline.toml: segmentation.activation = {activation!r}, but the model's output "
                f"{found} holds the classes themselves. Leave the activation out."
            )
        if activation == "softmax" and channels_of(found) == 1:
            raise SpecError(
                "plumbline.toml: segmentation.activation = 'softmax', which makes every score of "
                f"one channel 1 ({found}). Take 'sigmoid', or 'none' if the model has it inside."
            )

    def values(self, outputs: Tensors) -> Tensors:
        """The output as the model gives it, activated."""
        activate = ACTIVATIONS[self.spec.segmentation.activation]
        return {self.output: activate(outputs[self.output])}

    def readings(self, outputs: Tensors, geometry: Geometry) -> tuple[Tensors, ...]:  # noqa: ARG002
        """The scores, the class of each pixel of the model's grid, with a last axis or not, or
        the output as it is.

        The mask is the same whether the notebook activated the output or not.
        """
        values = self.values(outputs)
        classes = np.stack([self.grid_mask(one) for one in values[self.output]])
        masks_of = {"mask": classes}, {"mask": classes[..., None]}
        return values, *masks_of, {self.output: outputs[self.output]}

    def results(
        self,
        outputs: Tensors,
        geometries: Sequence[Geometry],
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> list[Result]:
        """The mask of each picture, as large as the upright picture."""
        names = tuple(self.names.get(number) or str(number) for number in range(self.classes))
        colors = self.spec.segmentation.palette or palette.colors(self.classes)
        return [
            Segments(self.mask(values, geometry), names, colors, geometry)
            for values, geometry in zip(self.values(outputs)[self.output], geometries, strict=True)
        ]

    def gist(self, outputs: Tensors, geometry: Geometry) -> Tensor:  # noqa: ARG002
        """The mask on the model's grid `[height, width]`."""
        return self.grid_mask(self.values(outputs)[self.output][0])

    def agreement(self, pairs: Pairs) -> float:
        """The mean IoU over all pictures."""
        return agreement.of_masks(pairs)

    def mask(self, values: Tensor, geometry: Geometry) -> Mask:
        """The mask of an upright picture, by what the model says of its grid."""
        if self.numbered:
            return masks.from_classes(self.grid_mask(values), geometry)
        return masks.from_scores(self.scores(values), geometry, self.spec.segmentation.threshold)

    def grid_mask(self, values: Tensor) -> Mask:
        """The class of each sample `[height, width]` of the model's grid."""
        if not self.numbered:
            return masks.on_grid(self.scores(values), self.spec.segmentation.threshold)
        numbers = values.reshape(values.shape[:2])
        known = (numbers >= 0) & (numbers < self.classes)
        return np.where(known, numbers, masks.UNSEEN).astype(np.uint8)

    def scores(self, values: Tensor) -> Tensor:
        """The scores of one picture as `[height, width, classes]`."""
        scores = values if values.ndim == 3 else values[..., None]
        if scores.shape[-1] not in (1, self.classes):
            raise SpecError(
                f"The model gives scores of {scores.shape[-1]} classes, but there are "
                f"{self.classes} labels. Give one label for each class, in the order of training."
            )
        return scores


def is_grid(output: TensorSpec) -> bool:
    """Whether an output may hold a score, or some, or a class of each pixel."""
    numbers = output.dtype == "bool" or "int" in output.dtype or "float" in output.dtype
    channels = channels_of(output)
    return numbers and len(output.shape) in (3, 4) and (channels or 1) <= masks.UNSEEN


def is_numbered(output: TensorSpec) -> bool:
    """Whether an output holds classes, in whole numbers, and not scores."""
    return "float" not in output.dtype and channels_of(output) == 1


def channels_of(output: TensorSpec) -> int | None:
    """How many scores a pixel has."""
    return output.shape[3] if len(output.shape) == 4 else 1
