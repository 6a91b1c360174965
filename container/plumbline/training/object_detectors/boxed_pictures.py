"""Pictures with boxes: decoded and resized as the server does it, and the boxes with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.training.decoded_pictures import DecodedPictures
from plumbline.training.errors import DataError
from plumbline.training.object_detectors.annotations import Boxes
from plumbline.training.readers.entries import Entry
from plumbline.training.upright_annotations import turned_by
from plumbline.vision.arrays import Tensor
from plumbline.vision.geometry import TURNS, Geometry

Rows = NDArray[np.float64]
"""Left, top, right, bottom: `[n, 4]`."""

SLACK = 0.01
"""So much of a side, or a pixel, a box may reach beyond its picture: it is cut off there."""

LEAST_SIDE = 1e-3
"""Of a box, in pixels."""

SEEN = 0.25
"""The share of a box that has to be in the network's input, where the fit cuts pictures."""


@dataclass(frozen=True)
class Placed:
    """A picture's boxes, each of them in it.

    `upright` is in pixels of the upright picture, `shown` in shares of the network's input, from 0
    to 1, of those `chosen` boxes that are seen there.
    """

    class_ids: tuple[int, ...]
    upright: tuple[tuple[float, ...], ...]
    shown: tuple[tuple[float, ...], ...]
    chosen: tuple[int, ...]
    geometry: Geometry

    @property
    def truth(self) -> Tensor:
        """Rows `[n, 6]` float32 as `parity.agreement` takes them: class, 1, corners.

        Those are in pixels of the picture as it was sent, as the server answers.
        """
        whole = Geometry.whole(self.geometry.upright, self.geometry.orientation)
        boxes = whole.to_source(np.array(self.upright, np.float64).reshape(-1, 4))
        return np.column_stack([self.class_ids, np.ones(len(boxes)), boxes]).astype(np.float32)

    @property
    def learnt(self) -> tuple[Rows, NDArray[np.intp]]:
        """The boxes that are seen in the input, `[n, 4]` from 0 to 1, and their classes `[n]`."""
        classes = np.array(self.class_ids, np.intp)[list(self.chosen)]
        return np.array(self.shown, np.float64).reshape(-1, 4), classes


class BoxedPictures(DecodedPictures):
    """Pictures whose labels are `Boxes` at first and `Placed` when they are checked."""

    def understood(self, data: bytes, entry: Entry[Any]) -> tuple[Tensor, Any]:
        """A picture's bytes, resized, and its boxes. Raises a `PlumblineError` for bad ones."""
        values, geometry = self.how.laid(data)
        label = entry.label
        return values, placed(label, geometry) if isinstance(label, Boxes) else label


def placed(label: Boxes, geometry: Geometry) -> Placed:
    """The boxes where they are in the picture. Raises `DataError` for what is not in it."""
    upright = inside(upright_corners(label, geometry), geometry)
    shown = in_input(upright, geometry)
    seen = np.clip(shown, 0, 1)
    chosen = np.flatnonzero(area(seen) > SEEN * area(shown))
    return Placed(
        label.class_ids,
        as_tuples(upright),
        as_tuples(seen[chosen]),
        tuple(chosen.tolist()),
        geometry,
    )


def upright_corners(label: Boxes, geometry: Geometry) -> Rows:
    """The boxes in pixels of the upright picture, `[n, 4]`.

    Raises `DataError` where the size that they note is not the picture's.
    """
    boxes = np.array(label.corners, np.float64).reshape(-1, 4)
    height, width = geometry.upright
    if label.relative:
        return boxes * [width, height, width, height]
    told, stored = label.size or (width, height), geometry.source[::-1]
    orientation = turned_by(told[::-1], geometry)
    if orientation is None:
        raise DataError(
            f"its annotation is of a picture of {told[0]}×{told[1]} pixels, and it has "
            f"{stored[0]}×{stored[1]}."
        )
    swap, *mirrors = TURNS[orientation]
    points = boxes.reshape(-1, 2, 2)
    # What is left becomes right, and the other way round; a box without a size stays one.
    points = np.where(mirrors, np.array(stored) - points[:, ::-1], points)
    return np.asarray((points[..., ::-1] if swap else points).reshape(-1, 4))


def inside(boxes: Rows, geometry: Geometry) -> Rows:
    """The boxes, cut off at the edges. Raises `DataError` for one that is not in the picture."""
    height, width = geometry.upright
    most = np.array([width, height, width, height], np.float64)
    for number, box in enumerate(boxes, 1):
        told = ", ".join(f"{value:g}" for value in np.round(box, 2))
        if (box[2:] - box[:2] < LEAST_SIDE).any():
            raise DataError(f"box {number} ({told}) has no size.")
        slack = np.maximum(1, SLACK * most)
        cut = np.clip(box, 0, most)
        if (box < -slack).any() or (box > most + slack).any() or not area(cut[None])[0]:
            raise DataError(
                f"box {number} ({told}) reaches out of the picture, which has {width}×{height} "
                "pixels."
            )
    return np.clip(boxes, 0, most)


def in_input(boxes: Rows, geometry: Geometry) -> Rows:
    """Boxes in pixels of the upright picture, as shares of the network's input; maybe beyond it."""
    points = boxes.reshape(-1, 2, 2) - np.array(geometry.window[:2])
    scaled = points * np.divide(geometry.inner[2:], geometry.window[2:]) + geometry.inner[:2]
    return np.asarray((scaled / np.array(geometry.canvas[::-1])).reshape(-1, 4))


def area(boxes: Rows) -> NDArray[np.float64]:
    """Of each box."""
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))


def as_tuples(boxes: Rows) -> tuple[tuple[float, ...], ...]:
    """The same as plain numbers."""
    return tuple(tuple(row) for row in boxes.tolist())
