"""What is said of one picture, before it takes a form (JSON, CSV, an array, a drawing)."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from plumbline.errors import NotAcceptable, RequestError
from plumbline.results.png_files import png
from plumbline.vision import masks
from plumbline.vision.arrays import Pixels, Tensor, Tensors
from plumbline.vision.geometry import Boxes, Geometry
from plumbline.vision.masks import Mask

Color = tuple[int, int, int]


class Result(ABC):
    """The answer for one picture, in each form that it can take."""

    @abstractmethod
    def typed(self) -> Any:
        """For JSON: objects that name what they hold."""

    @abstractmethod
    def builtin(self) -> Any:
        """For JSON: the rows that SageMaker's own algorithms answer with."""

    @abstractmethod
    def table(self, number: int) -> list[Any]:
        """For CSV: its lines, each an array of numbers or a list; `number` is the picture's."""

    @abstractmethod
    def array(self) -> Tensor:
        """For NumPy. Raises `NotAcceptable` where there is no single array."""


@dataclass(frozen=True)
class Classes(Result):
    """Of a classifier: all `scores` `[classes]`, and the `class_ids` that are answered."""

    scores: Tensor
    class_ids: tuple[int, ...]
    labels: tuple[str, ...]
    """Of the answered classes."""

    def typed(self) -> dict[str, Any]:
        """The answered classes, the best first."""
        chosen = zip(self.class_ids, self.labels, strict=True)
        return {
            "classes": [
                {"label": label, "class_id": index, "score": self.scores[index]}
                for index, label in chosen
            ]
        }

    def builtin(self) -> dict[str, Any]:
        """All scores, as image classification answers."""
        return {"prediction": self.scores}

    def table(self, number: int) -> list[Any]:  # noqa: ARG002
        """One line with all scores."""
        return [self.scores]

    def array(self) -> Tensor:
        """All scores `[classes]`."""
        return self.scores


@dataclass(frozen=True)
class Detections(Result):
    """Of a detector, the surest first; `boxes` `[n, 4]` lie in pixels of the model's input."""

    boxes: Boxes
    scores: Tensor
    class_ids: Tensor
    labels: tuple[str, ...]
    """Of each box."""
    geometry: Geometry

    @property
    def sent_boxes(self) -> Boxes:
        """The boxes in pixels of the picture as it was sent, clipped to it."""
        height, width = self.geometry.source
        return np.clip(self.geometry.to_source(self.boxes), 0, [width, height, width, height])

    @property
    def upright_boxes(self) -> Boxes:
        """The boxes in pixels of the upright picture, clipped to it."""
        height, width = self.geometry.upright
        return np.clip(self.geometry.to_upright(self.boxes), 0, [width, height, width, height])

    def typed(self) -> dict[str, Any]:
        """Boxes `[left, top, right, bottom]` in pixels of the picture as it was sent."""
        height, width = self.geometry.source
        found = zip(self.labels, self.class_ids, self.scores, self.pixel_boxes(), strict=True)
        return {
            "detections": [
                {"label": label, "class_id": index, "score": score, "box": box}
                for label, index, score, box in found
            ],
            "image": {"width": width, "height": height},
        }

    def builtin(self) -> dict[str, Any]:
        """Rows `[class_id, score, xmin, ymin, xmax, ymax]`, from 0 to 1, as object detection's."""
        height, width = self.geometry.source
        relative = self.sent_boxes / [width, height, width, height]
        return {"prediction": self.rows(relative)}

    def table(self, number: int) -> list[Any]:
        """A line a box: picture, class_id, score, left, top, right, bottom, label."""
        found = zip(self.class_ids, self.scores, self.pixel_boxes(), self.labels, strict=True)
        return [[number, index, score, *box, label] for index, score, box, label in found]

    def array(self) -> Tensor:
        """`[n, 6]`: class_id, score, left, top, right, bottom."""
        return self.rows(self.sent_boxes)

    def pixel_boxes(self) -> Tensor:
        """The boxes as they are written: in float32, whose digits are enough for any picture."""
        return self.sent_boxes.astype(np.float32)

    def rows(self, boxes: Boxes) -> Tensor:
        """`[n, 6]` float32 with these boxes."""
        return np.column_stack([self.class_ids, self.scores, boxes]).astype(np.float32)


@dataclass(frozen=True)
class Segments(Result):
    """Of a segmenter: the class of each pixel of the upright picture.

    `mask` is `[height, width]` uint8; `masks.UNSEEN` where the model saw nothing. `names` and
    `palette` have an entry for each class.
    """

    mask: Mask
    names: tuple[str, ...]
    palette: tuple[Color, ...]
    geometry: Geometry

    @property
    def sent_mask(self) -> Mask:
        """The mask of the picture as it was sent, before it was turned upright."""
        return self.geometry.turn_back(self.mask)

    def typed(self) -> dict[str, Any]:
        """Of each class that is there its pixels, share and shape (COCO's run-length encoding)."""
        mask = self.sent_mask
        height, width = mask.shape
        return {
            "segments": [
                {
                    "label": self.names[each.class_id],
                    "class_id": each.class_id,
                    "pixels": each.pixels,
                    "area": each.pixels / mask.size,
                    "rle": each.run_lengths,
                }
                for each in masks.segments(mask)
                if each.class_id < len(self.names)
            ],
            "image": {"width": width, "height": height},
        }

    def builtin(self) -> dict[str, Any]:
        """The class of each pixel, row by row."""
        return {"prediction": self.sent_mask}

    def table(self, number: int) -> list[Any]:
        """A line a class that is there: picture, class_id, pixels, area, label."""
        return [
            [number, each["class_id"], each["pixels"], each["area"], each["label"]]
            for each in self.typed()["segments"]
        ]

    def array(self) -> Tensor:
        """The mask `[height, width]`."""
        return self.sent_mask


@dataclass(frozen=True)
class NewPicture(Result):
    """A picture `[height, width, 1 or 3]` that a model made: its values, and its `pixels` uint8."""

    values: Tensor
    pixels: Pixels

    def png(self) -> bytes:
        """The picture as a PNG file, gray or in colours."""
        gray = self.pixels.shape[2] == 1
        return png(Image.fromarray(self.pixels[..., 0] if gray else self.pixels))

    def typed(self) -> dict[str, Any]:
        """Its size, and the PNG file in base64."""
        height, width, _ = self.pixels.shape
        return {"image": {"width": width, "height": height, "png": in_base64(self.png())}}

    def builtin(self) -> dict[str, Any]:
        """The model's own values."""
        return {"prediction": self.values}

    def table(self, number: int) -> list[Any]:  # noqa: ARG002
        """One line with all of the model's values."""
        return [self.values.reshape(-1)]

    def array(self) -> Tensor:
        """The model's own values `[height, width, channels]`."""
        return self.values


@dataclass(frozen=True)
class Values(Result):
    """Outputs as they are, of one picture, without the batch axis."""

    outputs: Tensors

    def typed(self) -> Any:
        """As TensorFlow Serving answers: the value, or an object of all outputs."""
        written = {name: written_out(name, value) for name, value in self.outputs.items()}
        return next(iter(written.values())) if len(written) == 1 else written

    def builtin(self) -> dict[str, Any]:
        """The same under SageMaker's name."""
        return {"prediction": self.typed()}

    def table(self, number: int) -> list[Any]:  # noqa: ARG002
        """One line with all values of the only output."""
        return [self.array().reshape(-1)]

    def array(self) -> Tensor:
        """The only output."""
        if len(self.outputs) > 1:
            raise NotAcceptable(
                f"The model has {len(self.outputs)} outputs ({', '.join(self.outputs)}), which "
                "don't fit into one array; ask for application/json, or name one in "
                "plumbline.toml: [model] output."
            )
        return next(iter(self.outputs.values()))


@dataclass(frozen=True)
class Failure(Result):
    """One picture of several that could not be answered, and why."""

    error: RequestError

    def typed(self) -> dict[str, Any]:
        """As the answer to a whole request would be."""
        return {"error": {"code": self.error.code, "message": self.error.message}}

    def builtin(self) -> dict[str, Any]:
        """The same."""
        return self.typed()

    def table(self, number: int) -> list[Any]:
        """One line: picture, "error", code, message."""
        return [[number, "error", self.error.code, self.error.message]]

    def array(self) -> Tensor:
        """There is no array of an error."""
        raise self.error


def first_of(failures: Sequence[Failure]) -> RequestError:
    """The error of a request of which no picture could be answered."""
    error = failures[0].error
    return type(error)(
        f"None of the {len(failures)} pictures could be answered. Instance 0: {error}"
    )


def written_out(name: str, value: Tensor) -> Any:
    """An output as JSON has it; the bytes of those that are called so in base64."""
    if value.dtype == object and name.endswith("_bytes"):
        return in_base64(value.tolist())
    return value


def in_base64(value: Any) -> Any:
    """Bytes at any depth of lists as `{"b64": …}`."""
    if isinstance(value, list):
        return [in_base64(each) for each in value]
    return {"b64": base64.b64encode(value).decode()}
