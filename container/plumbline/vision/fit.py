"""How a picture of one shape goes into a model's input of another.

Each fit maps `(source, target)`, two sizes `(height, width)`, to a `Placement`: the window of the
picture that is resized, which may reach beyond the picture, and the part of the input it fills.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from plumbline.vision.geometry import Area, Geometry, Rect, Size
from plumbline.vision.parts import resizer_of_part
from plumbline.vision.resize import Resized, Resizer

Bytes = NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)
YOLO_GREY = 114


class Placement(NamedTuple):
    """`window` of the source goes to `inner` of the target; the rest is `fill`."""

    window: Rect | Area
    inner: Rect
    fill: int = 0


Fit = Callable[[Size, Size], Placement]


def whole(size: Size) -> Rect:
    """All of a picture."""
    return Rect(0, 0, size[1], size[0])


def _share(length: int, numerator: int, denominator: int) -> int:
    """`int(length * numerator / denominator)` in float32, as Keras computes it in TensorFlow."""
    return int(np.float32(length * numerator) / np.float32(denominator))


def stretch(source: Size, target: Size) -> Placement:
    """Resize the whole picture, whatever its shape."""
    return Placement(whole(source), whole(target))


def crop(source: Size, target: Size) -> Placement:
    """Keras's `crop_to_aspect_ratio=True` and `smart_resize`: crop the middle, then resize."""
    height = max(1, min(source[0], _share(source[1], target[0], target[1])))
    width = max(1, min(source[1], _share(source[0], target[1], target[0])))
    window = Rect((source[1] - width) // 2, (source[0] - height) // 2, width, height)
    return Placement(window, whole(target))


def pad(source: Size, target: Size) -> Placement:
    """Keras's `pad_to_aspect_ratio=True`: pad both sides alike with black, then resize."""
    height = max(source[0], _share(source[1], target[0], target[1]))
    width = max(source[1], _share(source[0], target[1], target[0]))
    left, top = (width - source[1]) // 2, (height - source[0]) // 2
    window = Rect(-left, -top, source[1] + 2 * left, source[0] + 2 * top)
    return Placement(window, whole(target))


def letterbox(source: Size, target: Size) -> Placement:
    """`tf.image.resize_with_pad`: resize to what fits, rounded down, then pad with black."""
    sides, room = np.array(source, np.float32), np.array(target, np.float32)
    fitting = sides / (sides / room).max()
    top, left = np.maximum(np.floor((room - fitting) / 2), 0).astype(int).tolist()
    height, width = np.maximum(np.floor(fitting), 1).astype(int).tolist()
    return Placement(whole(source), Rect(left, top, width, height))


def yolo(source: Size, target: Size) -> Placement:
    """Ultralytics' `LetterBox`: resize to what fits, rounded, then pad with grey."""
    ratio = min(target[0] / source[0], target[1] / source[1])
    height, width = (max(1, round(side * ratio)) for side in source)
    top, left = (
        round((room - side) / 2 - 0.1) for room, side in zip(target, (height, width), strict=True)
    )
    return Placement(whole(source), Rect(left, top, width, height), YOLO_GREY)


FITS: Mapping[str, Fit] = MappingProxyType(
    {"stretch": stretch, "crop": crop, "pad": pad, "letterbox": letterbox, "yolo": yolo}
)


def _lay(pixels: NDArray[Scalar], size: Size, left: int, top: int, fill: int) -> NDArray[Scalar]:
    """Lay pixels on a ground of `fill`; what reaches beyond it is cut off."""
    height, width, channels = pixels.shape
    if (height, width) == size and not (left or top):
        return pixels
    ground = np.full((*size, channels), fill, pixels.dtype)
    seen = pixels[max(0, -top) : size[0] - top, max(0, -left) : size[1] - left]
    top, left = max(0, top), max(0, left)
    ground[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return ground


def _look(pixels: Bytes, window: Rect, fill: int) -> Bytes:
    """Cut the window out; where it reaches beyond the picture, it sees `fill`."""
    left, top = max(0, window.left), max(0, window.top)
    seen = pixels[top : window.top + window.height, left : window.left + window.width]
    size = (window.height, window.width)
    return np.ascontiguousarray(_lay(seen, size, left - window.left, top - window.top, fill))


def place(
    pixels: Bytes, size: Size, fit: Fit, resizer: Resizer, orientation: int = 1
) -> tuple[Resized, Geometry]:
    """Fit upright pixels `[h, w, c]` into `size`; the geometry leads back to the sent picture."""
    height, width, _ = pixels.shape
    window, inner, fill = fit((height, width), size)
    room = (inner.height, inner.width)
    if isinstance(window, Area):
        resized = resizer_of_part(resizer)(pixels, room, window)
    else:
        resized = resizer(_look(pixels, window, fill), room)
    laid: Resized = _lay(resized, size, inner.left, inner.top, fill)
    sent = (width, height) if orientation >= 5 else (height, width)
    return laid, Geometry(sent, *visible(window, inner, size), size, orientation)


def visible(window: Rect | Area, inner: Rect, size: Size) -> tuple[Rect | Area, Rect]:
    """The window and where it goes, without what is cut off of the latter."""
    if (
        inner.left >= 0
        and inner.top >= 0
        and all(
            start + length <= room
            for start, length, room in zip(inner[:2], inner[2:], size[::-1], strict=True)
        )
    ):
        return window, inner
    seen = [
        (max(0, start), min(room, start + length))
        for start, length, room in zip(inner[:2], inner[2:], size[::-1], strict=True)
    ]
    (left, right), (top, bottom) = seen
    across, down = window.width / inner.width, window.height / inner.height
    part = Area(
        window.left + (left - inner.left) * across,
        window.top + (top - inner.top) * down,
        (right - left) * across,
        (bottom - top) * down,
    )
    return part, Rect(left, top, right - left, bottom - top)
