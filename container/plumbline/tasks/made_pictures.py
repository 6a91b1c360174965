"""Pictures out of pictures: denoising, colouring, super-resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plumbline.errors import SpecError
from plumbline.results.task_results import NewPicture, Result
from plumbline.signature import Signature, TensorSpec
from plumbline.tasks.base import Task
from plumbline.tasks.output_choice import check_input, chosen_output
from plumbline.tasks.ways_out import OTHER_FORM, RAW
from plumbline.vision.arrays import Pixels, Tensor, Tensors
from plumbline.vision.geometry import Geometry

FORM = "[batch, height, width, 1 or 3]"

BYTES = (0.0, 255.0)


class ImageTask(Task):
    """One output that is a picture, as large as the model's input or some times as large."""

    output: str
    range: tuple[float, float]

    def fit(self, signature: Signature) -> None:
        """Take the output that is a picture; check that its range of values is known."""
        check_input("image", signature)
        found = chosen_output("image", FORM, self.spec, signature)
        if not is_picture(found):
            raise SpecError(
                f'task = "image" needs an output {FORM}, but the model\'s is {found}. {OTHER_FORM}'
            )
        declared = self.spec.image.range
        if declared is None and found.dtype != "uint8":
            raise SpecError(
                f"The model's output {found} does not say which values are black and white; "
                "say it in plumbline.toml: [image] range = [0, 1], or [0, 255], or [-1, 1]. "
                f"{RAW}"
            )
        if self.spec.acceleration.max_difference == float("inf"):
            raise SpecError(
                "plumbline.toml: acceleration.max_difference = inf lets agreement decide, which "
                'task = "image" has none of; give a number, such as 0.01.'
            )
        self.output, self.range = found.name, declared or BYTES

    def values(self, outputs: Tensors) -> Tensors:
        """The output as the model gives it."""
        return {self.output: outputs[self.output]}

    def results(
        self,
        outputs: Tensors,
        geometries: Sequence[Geometry],
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> list[Result]:
        """The picture that was made of each, without what was added around the picture sent."""
        rows = zip(outputs[self.output], geometries, strict=True)
        shown = [without_margins(values, geometry) for values, geometry in rows]
        return [NewPicture(values, in_bytes(values, self.range)) for values in shown]


def is_picture(output: TensorSpec) -> bool:
    """Whether an output may be a picture."""
    channels = output.shape[3] if len(output.shape) == 4 else 1
    numbers = "float" in output.dtype or output.dtype == "uint8"
    return numbers and len(output.shape) in (3, 4) and channels in (1, 3)


def without_margins(values: Tensor, geometry: Geometry) -> Tensor:
    """`[height, width, channels]` of the part that shows the picture."""
    picture = values if values.ndim == 3 else values[..., None]
    down, across = (
        side / canvas for side, canvas in zip(picture.shape, geometry.canvas, strict=False)
    )
    inner = geometry.inner
    rows = slice(round(inner.top * down), round((inner.top + inner.height) * down))
    columns = slice(round(inner.left * across), round((inner.left + inner.width) * across))
    return picture[rows, columns]


def in_bytes(values: Tensor, range_: tuple[float, float]) -> Pixels:
    """The values in levels of 0 to 255, rounded; what is beyond the range is black or white."""
    low, high = range_
    levels = (np.nan_to_num(values.astype(np.float64)) - low) * (255 / (high - low))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
