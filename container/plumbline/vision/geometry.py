"""Where a model's input came from in the picture that was sent.

Coordinates are continuous: pixel `i` covers `[i, i + 1)`. Boxes are `[left, top, right, bottom]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Size = tuple[int, int]
Boxes = NDArray[np.float64]


class Rect(NamedTuple):
    """A rectangle of whole pixels; it may reach beyond the picture it lies on."""

    left: int
    top: int
    width: int
    height: int


class Area(NamedTuple):
    """A rectangle that need not be of whole pixels."""

    left: float
    top: float
    width: float
    height: float


class Turn(NamedTuple):
    """How a stored picture becomes upright, read backwards: swap x and y, then mirror."""

    swap: bool
    mirror_x: bool
    mirror_y: bool


# By the values of EXIF's orientation tag.
TURNS: Mapping[int, Turn] = MappingProxyType(
    {
        1: Turn(False, False, False),
        2: Turn(False, True, False),
        3: Turn(False, True, True),
        4: Turn(False, False, True),
        5: Turn(True, False, False),
        6: Turn(True, False, True),
        7: Turn(True, True, True),
        8: Turn(True, True, False),
    }
)


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """`PIL.ImageOps.exif_transpose` for `[h, w, c]` pixels."""
    swap, mirror_x, mirror_y = TURNS[orientation]
    mirrored = pixels[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
    return np.ascontiguousarray(mirrored.swapaxes(0, 1) if swap else mirrored)


@dataclass(frozen=True)
class Geometry:
    """How a picture was laid into a model's input.

    `source` is the size `(height, width)` of the picture as it was sent, before it was turned
    upright by EXIF's `orientation`. `window` is the part of the upright picture that was resized
    to `inner`, a part of the model's input, whose size (height, width) is `canvas`.
    """

    source: Size
    window: Rect | Area
    inner: Rect
    canvas: Size
    orientation: int = 1

    @property
    def upright(self) -> Size:
        """The size (height, width) of the picture once it is turned upright."""
        return self.source[::-1] if TURNS[self.orientation].swap else self.source

    @classmethod
    def whole(cls, size: Size, orientation: int = 1) -> Geometry:
        """Of a picture of this upright size that is the model's input as it is."""
        height, width = size
        whole = Rect(0, 0, width, height)
        source = size[::-1] if TURNS[orientation].swap else size
        return cls(source, whole, whole, size, orientation)

    def turn_back(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels `[h, w]` of the upright picture as those of the picture as it was sent."""
        swap, mirror_x, mirror_y = TURNS[self.orientation]
        turned = pixels.swapaxes(0, 1) if swap else pixels
        mirrored = turned[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
        return np.ascontiguousarray(mirrored)

    def to_upright(self, boxes: ArrayLike) -> Boxes:
        """Map boxes `[..., 4]` in input pixels to pixels of the upright picture."""
        points = np.asarray(boxes, np.float64).reshape(*np.shape(boxes)[:-1], 2, 2)
        scale = np.divide(self.window[2:], self.inner[2:])
        mapped: Boxes = (points - self.inner[:2]) * scale + self.window[:2]
        return mapped.reshape(np.shape(boxes))

    def to_source(self, boxes: ArrayLike) -> Boxes:
        """Map boxes `[..., 4]` in input pixels to pixels of the picture as it was sent."""
        swap, *mirrors = TURNS[self.orientation]
        points = self.to_upright(boxes).reshape(*np.shape(boxes)[:-1], 2, 2)
        if swap:
            points = points[..., ::-1]
        points = np.where(mirrors, np.array(self.source[::-1]) - points, points)
        return np.sort(points, axis=-2).reshape(np.shape(boxes))
