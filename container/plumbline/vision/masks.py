"""Masks: the class of each pixel of a picture, from what a model says of a coarser grid."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plumbline.vision.arrays import Tensor
from plumbline.vision.geometry import Geometry, Size

Mask: TypeAlias = NDArray[np.uint8]
"""`[height, width]`: the class of each pixel."""

Float = NDArray[np.float32]
Indices = NDArray[np.intp]

UNSEEN = 255
"""The class of pixels that the model did not see, as where `crop` cuts the margins off."""

# Sides of the squares that are worked on at a time: they fit the cache, and few classes meet there.
TILE = 192
# What rounding may add to a blend, as a share of the largest score.
SLACK = np.float32(1e-5)


# -- from the model's grid to the picture -----------------------------------------------------


class Samples(NamedTuple):
    """Along one axis, `[pixels]` each: a pixel lies `part` of the way from sample `low` to `high`.

    `nearest` is the sample that it lies on.
    """

    low: Indices
    high: Indices
    part: Float
    nearest: Indices

    def cut(self, pixels: slice) -> Samples:
        """The same of some pixels only."""
        return Samples(self.low[pixels], self.high[pixels], self.part[pixels], self.nearest[pixels])


class Axis(NamedTuple):
    """Which pixels of a picture the model saw, along one axis, and where they lie on its grid."""

    seen: slice
    samples: Samples


def axis_of(
    pixels: int, window: tuple[float, float], inner: tuple[int, int], canvas: int, grid: int
) -> Axis:
    """Lay one axis of a picture onto a grid that covers the model's input.

    `window` of the `pixels` was resized to `inner` of the input's `canvas`, each a start and a
    length; the `grid` is as long as the input, in samples of its own. Samples that show nothing of
    the picture are not looked at. Coordinates are float32, as in `tf.image.resize`.
    """
    first, rest = divmod(inner[0] * grid, canvas)
    last = -(-sum(inner) * grid // canvas) - 1
    start, stop = max(0, math.floor(window[0])), min(pixels, math.ceil(sum(window)))
    scale = np.float32(inner[1] * grid / canvas) / np.float32(window[1])
    middle = (np.arange(start, stop, dtype=np.float32) - window[0] + np.float32(0.5)) * scale
    middle += np.float32(rest / canvas)
    place = middle - np.float32(0.5)
    low = np.floor(place)
    around = (low.astype(np.intp) + first, low.astype(np.intp) + first + 1)
    nearest = middle.astype(np.intp) + first
    low_index, high_index, nearest = (np.clip(each, first, last) for each in (*around, nearest))
    return Axis(slice(start, stop), Samples(low_index, high_index, place - low, nearest))


def axes_of(grid: Size, geometry: Geometry) -> tuple[Axis, Axis]:
    """The rows and the columns of an upright picture on a grid `(height, width)`."""
    rows, columns = (
        axis_of(
            geometry.upright[k],
            (geometry.window[1 - k], geometry.window[3 - k]),
            (geometry.inner[1 - k], geometry.inner[3 - k]),
            geometry.canvas[k],
            grid[k],
        )
        for k in range(2)
    )
    return rows, columns


def from_scores(scores: Tensor, geometry: Geometry, threshold: float = 0.5) -> Mask:
    """The mask of the upright picture, by the scores `[h, w, classes]` on the model's grid.

    Equals `tf.image.resize(scores, …, "bilinear")` of the part that shows the picture, then
    `argmax`; of one channel, the probability of class 1, whether it reaches the threshold.
    Pixels that the model did not see are `UNSEEN`. Needs memory for the mask and little more.
    """
    rows, columns = axes_of(scores.shape[:2], geometry)
    mask = np.full(geometry.upright, UNSEEN, np.uint8)
    seen = mask[rows.seen, columns.seen]
    for down, across in product(tiles(seen.shape[0]), tiles(seen.shape[1])):
        area = scores, rows.samples.cut(down), columns.samples.cut(across)
        seen[down, across] = classes_between(*area, threshold)
    return mask


def from_classes(classes: Mask, geometry: Geometry) -> Mask:
    """The mask of the upright picture, by the class of each sample of the model's grid.

    Equals `tf.image.resize(classes, …, "nearest")` of the part that shows the picture.
    """
    rows, columns = axes_of(classes.shape, geometry)
    mask = np.full(geometry.upright, UNSEEN, np.uint8)
    near = np.ix_(rows.samples.nearest, columns.samples.nearest)
    mask[rows.seen, columns.seen] = classes[near]
    return mask


def on_grid(scores: Tensor, threshold: float = 0.5) -> Mask:
    """The class of each sample, by scores `[…, classes]`: the best, or 1 from the threshold on."""
    one = scores.shape[-1] == 1
    classes = reaching(scores[..., 0], threshold) if one else scores.argmax(axis=-1)
    return np.asarray(classes, np.uint8)


def reaching(probabilities: Tensor, threshold: float) -> Mask:
    """Class 1 where a probability reaches the threshold, in float32, as models compute."""
    return (probabilities.astype(np.float32) >= np.float32(threshold)).astype(np.uint8)


def tiles(length: int) -> list[slice]:
    """An axis in pieces that are worked on together."""
    return [slice(start, start + TILE) for start in range(0, length, TILE)]


def classes_between(scores: Tensor, rows: Samples, columns: Samples, threshold: float) -> Mask:
    """The classes `[rows, columns]` of pixels that lie between samples."""
    top, left = rows.low[0], columns.low[0]
    near = scores[top : rows.high[-1] + 1, left : columns.high[-1] + 1].astype(
        np.float32, copy=False
    )
    rows = rows._replace(low=rows.low - top, high=rows.high - top)
    columns = columns._replace(low=columns.low - left, high=columns.high - left)
    if near.shape[-1] == 1:
        return reaching(blended(near[..., 0], rows, columns), threshold)
    number, *others = rivals(near)
    classes = np.full((len(rows.low), len(columns.low)), number, np.uint8)
    if others:
        best = blended(near[..., number], rows, columns)
    for number in others:
        values = blended(near[..., number], rows, columns)
        np.copyto(classes, np.uint8(number), where=values > best)
        np.maximum(best, values, out=best)
    return classes


def rivals(scores: Float) -> list[int]:
    """The classes that can be the best anywhere between samples `[h, w, classes]`.

    A class is not, if between any two columns even its highest score is below another's lowest.
    """
    high, low = scores.max(axis=0), scores.min(axis=0)
    high = np.maximum(high, np.roll(high, -1, axis=0))  # the last column's neighbour does no harm
    low = np.minimum(low, np.roll(low, -1, axis=0))
    slack = SLACK * np.maximum(high.max(), -low.min())
    bound = low.max(axis=-1, keepdims=True) - slack
    return [int(number) for number in np.flatnonzero(~(high < bound).all(axis=0))]


def blended(plane: Float, rows: Samples, columns: Samples) -> Float:
    """Blend samples `[h, w]` to pixels, in the order of operations of TensorFlow's kernel."""
    left = plane[:, columns.low]
    across = left + (plane[:, columns.high] - left) * columns.part
    above, values = across[rows.low], across[rows.high]
    values -= above
    values *= rows.part[:, None]
    values += above
    return values


# -- run lengths --------------------------------------------------------------------------------


class Segment(NamedTuple):
    """The pixels of one class: how many there are, and where, as COCO's tools read it."""

    class_id: int
    pixels: int
    run_lengths: dict[str, Any]


def segments(mask: Mask) -> list[Segment]:
    """The classes that are in a mask `[height, width]`, in ascending order.

    The run lengths of each are compressed, and equal `pycocotools.mask.encode` of its pixels, with
    the counts as text. The mask is read once, however many classes it has.
    """
    flat = mask.T.reshape(-1)
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    ends = np.append(starts[1:], flat.size)
    classes = flat[starts]
    by_class = np.argsort(classes, kind="stable")
    class_ids, firsts = np.unique(classes[by_class], return_index=True)
    return [
        segment(int(class_id), starts[runs], ends[runs], mask.shape)
        for class_id, runs in zip(class_ids, np.split(by_class, firsts[1:]), strict=True)
    ]


def segment(class_id: int, starts: Indices, ends: Indices, size: Size) -> Segment:
    """One class's segment, by where its runs start and end in a mask read column by column."""
    edges = np.concatenate([[0], np.stack([starts, ends], axis=1).reshape(-1), [size[0] * size[1]]])
    counts = np.diff(edges if edges[-2] < edges[-1] else edges[:-1])
    pixels = int(counts[1::2].sum())
    counts[3:] -= counts[1:-2]
    return Segment(class_id, pixels, {"size": list(size), "counts": text(counts).decode("ascii")})


def text(counts: NDArray[np.int64]) -> bytes:
    """Numbers as `rleToString` writes them: five bits a character, the lowest first.

    The sixth bit of a character says that more follow; the last one's fifth is the sign.
    """
    characters = []
    rest, going = counts, np.ones(len(counts), bool)
    while going.any():
        low = (rest & 31).astype(np.uint8)
        rest = rest >> 5
        more = rest != np.where(low & 16, -1, 0)
        characters.append(np.where(going, low + 48 + 32 * more, 0).astype(np.uint8))
        going = more
    written = np.stack(characters, axis=1).reshape(-1)
    return written[written > 0].tobytes()
