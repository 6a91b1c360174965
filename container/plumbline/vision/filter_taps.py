"""Which source pixels make a target pixel along one axis, and how much of each.

Every function here maps `(source, target)`, two lengths in pixels, to `Taps`.
The tables are computed in the library's own precision and order of operations, because a
coordinate rounded to float32 moves a weight by more than the tolerance that is promised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

ONE = np.float32(1)
HALF = np.float32(0.5)
OPENCV_ONE = 2048
PILLOW_ONE = 2**22


class Taps(NamedTuple):
    """`places` and `weights`, both `[target, taps]`; a weight of zero pads the shorter rows."""

    places: NDArray[np.intp]
    weights: NDArray[np.float32]


Real = TypeVar("Real", np.float32, np.float64)
TapsOf = Callable[[int, int], Taps]


def _inside(index: NDArray[np.intp], source: int) -> NDArray[np.intp]:
    return np.clip(index, 0, source - 1)


# -- TensorFlow: coordinates are float32 -----------------------------------------------------


def _tensorflow_centres(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Split half-pixel centres `[target]` into their floor and the remainder."""
    scale = np.float32(source) / np.float32(target)
    centre = (np.arange(target, dtype=np.float32) + HALF) * scale - HALF
    floor = np.floor(centre)
    return floor.astype(np.intp), centre - floor


def tensorflow_bilinear(source: int, target: int) -> Taps:
    """`ResizeBilinear(half_pixel_centers=True)`: two taps, edges repeated."""
    floor, part = _tensorflow_centres(source, target)
    index = _inside(floor[:, None] + np.arange(2), source)
    return Taps(index, np.stack([ONE - part, part], axis=1))


def _keys(distance: NDArray[Real], a: Real) -> NDArray[Real]:
    """Keys' cubic at distances of 0 to 2, in the precision of its arguments."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


def tensorflow_bicubic(source: int, target: int) -> Taps:
    """`ResizeBicubic(half_pixel_centers=True)`: four taps from a table of 1024 steps."""
    floor, part = _tensorflow_centres(source, target)
    step = np.rint(part * np.float32(1024)) / np.float32(1024)
    offset = np.arange(-1, 3)
    weight = _keys(np.abs(offset.astype(np.float32) - step[:, None]), np.float32(-0.5))
    index = floor[:, None] + offset
    weight = np.where((index >= 0) & (index < source), weight, np.float32(0))
    return Taps(_inside(index, source), weight / weight.sum(axis=1, keepdims=True))


def tensorflow_antialias(source: int, target: int) -> Taps:
    """`ScaleAndTranslate(kernel_type="triangle", antialias=True)`: a tent as wide as the step."""
    step = ONE / (np.float32(target) / np.float32(source))
    reach = max(step, ONE)
    centre = (np.arange(target, dtype=np.float32) + HALF) * step
    first = np.ceil(centre - reach - HALF).astype(np.intp)
    last = np.floor(centre + reach - HALF).astype(np.intp)
    index = first[:, None] + np.arange(int((last - first).max()) + 1)
    distance = np.abs((index.astype(np.float32) + HALF - centre[:, None]) * (ONE / reach))
    weight = np.maximum(ONE - distance, np.float32(0))
    weight = np.where((index >= 0) & (index < source), weight, np.float32(0))
    return Taps(_inside(index, source), weight / weight.sum(axis=1, keepdims=True))


def tensorflow_area(source: int, target: int) -> Taps:
    """`ResizeArea`: the share of each source pixel under the target pixel's footprint."""
    scale = np.float32(source) / np.float32(target)
    begin = np.arange(target, dtype=np.float32) * scale
    end = np.arange(1, target + 1, dtype=np.float32) * scale
    first = np.floor(begin).astype(np.intp)
    count = int((np.ceil(end).astype(np.intp) - first).max())
    index = first[:, None] + np.arange(count)
    left = index.astype(np.float32)
    overlap = np.minimum(left + 1, end[:, None]) - np.maximum(left, begin[:, None])
    # TensorFlow, too, takes the footprint's own width where it lies inside one source pixel.
    overlap = np.where((left < begin[:, None]) & (left + 1 > end[:, None]), scale, overlap)
    weight = np.maximum(overlap, np.float32(0)) / scale
    return Taps(_inside(index, source), weight.astype(np.float32, copy=False))


# -- OpenCV: coordinates are float64, remainders float32 --------------------------------------


def _opencv_step(source: int, target: int) -> float:
    """OpenCV divides twice, and so lands an ulp beside some whole factors."""
    return 1.0 / (target / source)


def opencv_factor(source: int, target: int) -> int | None:
    """Return the whole factor that OpenCV sees between two lengths, if it sees one."""
    step = _opencv_step(source, target)
    factor = round(step)
    return factor if abs(step - factor) < np.finfo(np.float64).eps else None


def _opencv_centres(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    step = _opencv_step(source, target)
    centre = ((np.arange(target) + 0.5) * step - 0.5).astype(np.float32)
    floor = np.floor(centre)
    return floor.astype(np.intp), centre - floor


def _opencv_steps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Where `INTER_AREA` looks when it enlarges: at the source pixel that a target starts in."""
    step = _opencv_step(source, target)
    floor = np.floor(np.arange(target) * step).astype(np.intp)
    part = (np.arange(1, target + 1) - (floor + 1) * (target / source)).astype(np.float32)
    return floor, np.where(part <= 0, np.float32(0), part - np.floor(part))


def _fixed(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round weights to whole 2048ths."""
    whole: NDArray[np.float32] = np.rint(weight * np.float32(OPENCV_ONE))
    return whole / np.float32(OPENCV_ONE)


def _opencv_pair(
    place: Callable[[int, int], tuple[NDArray[np.intp], NDArray[np.float32]]],
    source: int,
    target: int,
) -> Taps:
    """Two taps of whole 2048ths; past the edges the outermost pixel counts twice."""
    floor, part = place(source, target)
    index = _inside(floor[:, None] + np.arange(2), source)
    return Taps(index, _fixed(np.stack([ONE - part, part], axis=1)))


opencv_linear: TapsOf = partial(_opencv_pair, _opencv_centres)
opencv_area_enlarging: TapsOf = partial(_opencv_pair, _opencv_steps)


def opencv_cubic(source: int, target: int) -> Taps:
    """`INTER_CUBIC` in real numbers, as Intel's IPP has it: Keys' a = -0.75, edges repeated."""
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    places = np.floor(centre).astype(np.intp)[:, None] + np.arange(-1, 3)
    weights = _keys(np.abs(places - centre[:, None]), -0.75).astype(np.float32)
    return Taps(_inside(places, source), weights)


def opencv_cubic_fixed(source: int, target: int) -> Taps:
    """`INTER_CUBIC` as OpenCV's own code has it: whole 2048ths at float32 coordinates."""
    floor, part = _opencv_centres(source, target)
    offset = np.arange(-1, 3)
    weights = _keys(np.abs(offset.astype(np.float32) - part[:, None]), np.float32(-0.75))
    return Taps(_inside(floor[:, None] + offset, source), _fixed(weights))


def opencv_area(source: int, target: int) -> Taps:
    """`INTER_AREA` when it shrinks: overlaps below a thousandth of a pixel are dropped."""
    step = _opencv_step(source, target)
    begin = np.arange(target) * step
    end = begin + step
    cell = np.minimum(step, source - begin)
    last = np.minimum(np.floor(end), source - 1)
    first = np.minimum(np.ceil(begin), last)
    index = first[:, None] - 1 + np.arange(int((last - first).max()) + 2)
    head = np.where(first - begin > 1e-3, first - begin, 0)[:, None]
    tail = np.where(end - last > 1e-3, np.minimum(np.minimum(end - last, 1), cell), 0)[:, None]
    whole = np.where(index < first[:, None], head, 1)
    overlap = np.select([index < last[:, None], index == last[:, None]], [whole, tail], 0)
    weight = (overlap / cell[:, None]).astype(np.float32)
    return Taps(_inside(index.astype(np.intp), source), weight)


def whole_factor(source: int, target: int) -> Taps:
    """Sum blocks of `source // target` pixels, every weight one."""
    factor = source // target
    index = np.arange(target)[:, None] * factor + np.arange(factor)
    return Taps(index, np.ones(index.shape, np.float32))


# -- Pillow: coordinates are float64, weights whole 2**-22ths ------------------------------------

Distances = NDArray[np.float64]

# Pillow writes these two as C floats.
HAMMING = float(np.float32(0.54)), float(np.float32(0.46))


def _box(x: Distances) -> Distances:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _tent(x: Distances) -> Distances:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _sinc(x: Distances) -> Distances:
    angle = np.where(x == 0, 1.0, x * math.pi)
    return np.where(x == 0, 1.0, np.sin(angle) / angle)


def _hamming(x: Distances) -> Distances:
    # The two floats add up to more than one, but Pillow answers one at the centre.
    window = np.where(x == 0, 1.0, HAMMING[0] + HAMMING[1] * np.cos(x * math.pi))
    return np.where(np.abs(x) < 1, _sinc(x) * window, 0.0)


def _bicubic(x: Distances) -> Distances:
    x = np.abs(x)
    return np.where(x < 2, _keys(x, np.float64(-0.5)), 0.0)


def _lanczos(x: Distances) -> Distances:
    return np.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0.0)


# name: kernel, and its reach in source pixels
PILLOW_KERNELS: dict[str, tuple[Callable[[Distances], Distances], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_tent, 1.0),
    "hamming": (_hamming, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


def _pillow(name: str, source: int, target: int) -> Taps:
    """`ImagingResample`'s 8-bit weights, which float32 holds exactly."""
    kernel, support = PILLOW_KERNELS[name]
    step = source / target
    stretch = max(step, 1.0)
    reach = support * stretch
    centre = (np.arange(target) + 0.5) * step
    first = np.maximum((centre - reach + 0.5).astype(np.intp), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.intp), source)
    index = first[:, None] + np.arange(int((last - first).max()))
    position = (index - centre[:, None] + 0.5) * (1.0 / stretch)
    weight = kernel(position) * (index < last[:, None])
    total = np.cumsum(weight, axis=1)[:, -1:]
    unit = np.trunc(weight / total * PILLOW_ONE + np.copysign(0.5, weight))
    return Taps(_inside(index, source), (unit / PILLOW_ONE).astype(np.float32))


pillow_taps: dict[str, TapsOf] = {name: partial(_pillow, name) for name in PILLOW_KERNELS}


# -- scikit-image: a Gaussian, then two taps, in float64 --------------------------------------


def skimage_linear(source: int, target: int) -> Taps:
    """`skimage.transform.resize` of order 1 with its anti-aliasing; edges are mirrored."""
    factor = source / target
    sigma = max(0.0, (factor - 1) / 2)
    reach = int(4 * sigma + 0.5)
    around = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (around / sigma) ** 2) if reach else np.ones(1)
    kernel /= kernel.sum()
    centre = (np.arange(target) + 0.5) * factor - 0.5
    floor = np.floor(centre)
    part = centre - floor
    dense = np.zeros((target, source))
    rows = np.arange(target)[:, None]
    for step, share in ((0, 1 - part), (1, part)):
        middle = _mirrored(floor.astype(np.intp) + step, source)
        places = _mirrored(middle[:, None] + around, source)
        np.add.at(dense, (rows, places), share[:, None] * kernel)
    used = [np.flatnonzero(row) for row in dense]
    taps = max(int(each[-1] - each[0]) + 1 for each in used)
    start = np.minimum([each[0] for each in used], source - taps)
    index = start[:, None] + np.arange(taps)
    return Taps(index, np.take_along_axis(dense, index, axis=1).astype(np.float32))


def _mirrored(index: NDArray[np.intp], source: int) -> NDArray[np.intp]:
    """Places beyond the edges, mirrored at the middle of the outermost pixels."""
    if source == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * source - 2)
    return np.asarray(np.minimum(folded, 2 * source - 2 - folded), np.intp)
