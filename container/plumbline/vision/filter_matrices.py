"""Weighted sums along one axis of a picture, as a few products of stacked dense matrices.

A resize weighs some neighbouring samples for each target sample: a banded matrix. Cut into bands
of a few targets, it is a row of small dense blocks that BLAS multiplies at full speed. Bands whose
windows on the source lie evenly apart are stacked into one call, because every call gives up the
interpreter's lock and has to win it back from the other threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from plumbline.vision.filter_taps import Taps, TapsOf

Float = NDArray[np.float32]
Real = NDArray[np.uint8] | Float
Indices = NDArray[np.intp]

# Wider bands multiply more zeros, narrower ones are more products: measured.
ROWS_IN_BAND = 8
COLUMNS_IN_BAND = 16
# Samples that a window may be wider than any band needs, to lie evenly with its neighbours.
SLACK = 4
# Samples that are converted to float32 at a time: rows while in cache, columns to bound memory.
ROW_SAMPLES = 100_000
COLUMN_SAMPLES = 1_000_000


class Run(NamedTuple):
    """Bands whose windows start at `source`, `source + step`, …; `weights[i]` is band `i`'s."""

    source: int
    step: int
    target: int
    weights: Float


class Axis(NamedTuple):
    """How to blend one axis: the samples to keep (None: all of them), then the runs."""

    used: Indices | None
    runs: tuple[Run, ...]


class Window(NamedTuple):
    """The samples `[start, start + width)` that the first band of a run sees."""

    start: int
    width: int


def _compact(taps: Taps, source: int) -> tuple[Indices | None, Taps, int]:
    """Number the used samples only, where most of the source is skipped."""
    used, places = np.unique(taps.places, return_inverse=True)
    if 2 * len(used) > source:
        return None, taps, source
    return used, Taps(places.reshape(taps.places.shape), taps.weights), len(used)


def _cut(taps: Taps, begin: int, end: int | None) -> Taps:
    return Taps(taps.places[begin:end], taps.weights[begin:end])


def _window(spans: list[tuple[int, int]], step: int) -> Window:
    """Find the window that, moved on by `step` a band, covers each span `[first, last]`."""
    start = min(first - step * i for i, (first, _) in enumerate(spans))
    stop = max(last - step * i for i, (_, last) in enumerate(spans)) + 1
    return Window(start, stop - start)


def _cuts(spans: list[tuple[int, int]], step: int, source: int) -> list[int]:
    """Cut the bands into runs, each as long as its window stays inside and narrow."""
    widest = max(last + 1 - first for first, last in spans) + SLACK
    cuts = [0]
    for band in range(1, len(spans)):
        start, width = _window(spans[cuts[-1] : band + 1], step)
        end = start + step * (band - cuts[-1]) + width
        if start < 0 or end > source or width > widest:
            cuts.append(band)
    return [*cuts, len(spans)]


def _stack(taps: Taps, window: Window, step: int, size: int) -> Float:
    """Lay the weights of whole bands out as `[bands, size, window]`."""
    target = np.arange(len(taps.places))
    local = taps.places - (window.start + step * (target // size))[:, None]
    matrix = np.zeros((len(target), window.width), np.float32)
    np.add.at(matrix, (target[:, None], local), taps.weights)
    return matrix.reshape(-1, size, window.width)


def _runs(taps: Taps, source: int, size: int) -> list[Run]:
    """Cut targets, a whole number of bands of `size`, into runs."""
    bands = taps.places.reshape(-1, size * taps.places.shape[1])
    spans = list(zip(bands.min(axis=1).tolist(), bands.max(axis=1).tolist(), strict=True))
    step = round((spans[-1][0] - spans[0][0]) / max(1, len(spans) - 1))
    runs = []
    for begin, end in pairwise(_cuts(spans, step, source)):
        window = _window(spans[begin:end], step)
        cut = _cut(taps, begin * size, end * size)
        runs.append(Run(window.start, step, begin * size, _stack(cut, window, step, size)))
    return runs


def _axis(taps: Taps, source: int, size: int) -> Axis:
    used, taps, source = _compact(taps, source)
    whole = len(taps.places) // size * size
    runs = _runs(_cut(taps, 0, whole), source, size) if whole else []
    if rest := len(taps.places) - whole:
        tail = _runs(_cut(taps, whole, None), source, rest)
        runs += [run._replace(target=whole) for run in tail]
    return Axis(used, tuple(runs))


@lru_cache(maxsize=32)
def _row_axis(taps_of: TapsOf, source: int, target: int) -> Axis:
    return _axis(taps_of(source, target), source, ROWS_IN_BAND)


def _interleaved(run: Run, channels: int) -> Run:
    """Repeat weights for each channel of a pixel: `[bands, sources * c, targets * c]`."""
    bands, targets, sources = run.weights.shape
    wide = np.zeros((bands, sources, channels, targets, channels), np.float32)
    for channel in range(channels):
        wide[:, :, channel, :, channel] = run.weights.transpose(0, 2, 1)
    weights = wide.reshape(bands, sources * channels, targets * channels)
    return Run(run.source * channels, run.step * channels, run.target * channels, weights)


@lru_cache(maxsize=32)
def _column_axis(taps_of: TapsOf, source: int, target: int, channels: int) -> Axis:
    used, runs = _axis(taps_of(source, target), source, COLUMNS_IN_BAND // channels)
    if used is not None:
        used = (used[:, None] * channels + np.arange(channels)).ravel()
    return Axis(used, tuple(_interleaved(run, channels) for run in runs))


def _pieces(runs: tuple[Run, ...], width: int) -> Iterator[Run]:
    """Cut runs so that the rows they convert to float32, `width` samples each, stay in cache."""
    for source, step, target, weights in runs:
        count = max(1, ROW_SAMPLES // (max(1, step) * width))
        for i in range(0, len(weights), count):
            first = target + i * weights.shape[1]
            yield Run(source + step * i, step, first, weights[i : i + count])


def blend_rows(pixels: Real, target: int, taps_of: TapsOf) -> Float:
    """Weigh rows: `[source, n]` -> `[target, n]` float32."""
    used, runs = _row_axis(taps_of, len(pixels), target)
    pixels = pixels if used is None else pixels.take(used, axis=0)
    width = pixels.shape[1]
    blended = np.empty((target, width), np.float32)
    for source, step, first, weights in _pieces(runs, width):
        bands, targets, sources = weights.shape
        rows = pixels[source : source + step * (bands - 1) + sources].astype(np.float32)
        windows = as_strided(rows, (bands, sources, width), (step * rows.strides[0], *rows.strides))
        out = blended[first : first + bands * targets].reshape(bands, targets, width)
        np.matmul(weights, windows, out=out)
    return blended


def _multiply_columns(samples: Float, runs: tuple[Run, ...], blended: Float) -> None:
    for source, step, first, weights in runs:
        bands, sources, targets = weights.shape
        windows = as_strided(
            samples[:, source:],
            (bands, len(samples), sources),
            (step * samples.itemsize, *samples.strides),
        )
        out = as_strided(
            blended[:, first:],
            (bands, len(samples), targets),
            (targets * blended.itemsize, *blended.strides),
        )
        np.matmul(windows, weights, out=out)


def blend_columns(pixels: Real, target: int, channels: int, taps_of: TapsOf) -> Float:
    """Weigh columns: `[h, source * c]` -> `[h, target * c]` float32."""
    used, runs = _column_axis(taps_of, pixels.shape[1] // channels, target, channels)
    pixels = pixels if used is None else pixels.take(used, axis=1)
    blended = np.empty((len(pixels), target * channels), np.float32)
    count = max(1, COLUMN_SAMPLES // pixels.shape[1])
    for top in range(0, len(pixels), count):
        strip = slice(top, top + count)
        samples = np.ascontiguousarray(pixels[strip], np.float32)
        _multiply_columns(samples, runs, blended[strip])
    return blended


def blend(pixels: NDArray[np.uint8], size: tuple[int, int], taps_of: TapsOf) -> Float:
    """Weigh rows, then columns: `[h, w, c]` uint8 -> `[*size, c]` float32, not rounded."""
    height, width, channels = pixels.shape
    rows = blend_rows(pixels.reshape(height, width * channels), size[0], taps_of)
    return blend_columns(rows, size[1], channels, taps_of).reshape(*size, channels)
