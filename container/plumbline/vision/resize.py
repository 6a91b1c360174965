"""Sixteen resize filters, each equal to the library it is named after.

`FILTERS` maps `LIBRARY-FILTER` to a function `(pixels, size) -> pixels`, where `pixels` is uint8
`[height, width, channels]` with one, three or four channels and `size` is `(height, width)`. The
answer has the dtype that the library gives for uint8: float32 in 0..255 for TensorFlow's filters
other than nearest, uint8 for the rest.

Only NumPy and Pillow are used. BLAS computes in float32; where a library computes in integers,
each sum that lies too near a rounding boundary for float32 to decide is computed again in the
library's own arithmetic (`rounding.settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from plumbline.vision.filter_matrices import Float, blend, blend_columns, blend_rows
from plumbline.vision.filter_taps import (
    OPENCV_ONE,
    Taps,
    TapsOf,
    opencv_area,
    opencv_area_enlarging,
    opencv_cubic,
    opencv_cubic_fixed,
    opencv_factor,
    opencv_linear,
    pillow_taps,
    skimage_linear,
    tensorflow_antialias,
    tensorflow_area,
    tensorflow_bicubic,
    tensorflow_bilinear,
    whole_factor,
)
from plumbline.vision.rounding import Exact, doubt, settle, to_bytes

Bytes = NDArray[np.uint8]
Indices = NDArray[np.intp]
Size = tuple[int, int]
Resized = NDArray[np.uint8 | np.float32]
Resizer = Callable[[Bytes, Size], Resized]


@lru_cache(maxsize=32)
def _taps(taps_of: TapsOf, source: int, target: int) -> Taps:
    return taps_of(source, target)


# -- nearest ----------------------------------------------------------------------------------


def _tensorflow_nearest(source: int, target: int) -> Indices:
    """`ResizeNearestNeighbor(half_pixel_centers=True)`: the float32 centre, floored."""
    scale = np.float32(source) / np.float32(target)
    centre = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale
    return np.minimum(centre.astype(np.intp), source - 1)


def _opencv_nearest(source: int, target: int) -> Indices:
    """`INTER_NEAREST`: the left edge, floored."""
    step = 1.0 / (target / source)
    return np.minimum((np.arange(target) * step).astype(np.intp), source - 1)


def _pillow_nearest(source: int, target: int) -> Indices:
    """`Image.Resampling.NEAREST`: the centre, reached by adding up steps, floored."""
    steps = np.full(target, source / target)
    steps[0] *= 0.5
    return np.cumsum(steps).astype(np.intp)


def _nearest(place: Callable[[int, int], Indices], pixels: Bytes, size: Size) -> Bytes:
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, -1).take(place(height, size[0]), axis=0)
    columns = place(width, size[1])[:, None] * channels + np.arange(channels)
    taken: Bytes = rows.take(columns.ravel(), axis=1)
    return taken.reshape(*size, channels)


# -- Pillow -----------------------------------------------------------------------------------

# From so many products and taps on, BLAS is faster than Pillow's loop: measured on two CPUs, one of
# which had it so from 6 taps on, the other from 20. Between the two, a server with BLAS answered a
# fifth to a third fewer: its passes over whole pictures get in each other's way in the memory.
PRODUCTS_PAY = 1_000_000
TAPS_PAY = 24


def _pillow_itself(name: str, pixels: Bytes, *sizes: Size) -> Bytes:
    """`Image.resize((width, height), Image.Resampling[...])`, to one size after another.

    In between, colours stay multiplied by their alpha, as Pillow has them on its way.
    """
    grey, clear = pixels.shape[2] == 1, pixels.shape[2] == 4
    picture = Image.fromarray(pixels[..., 0] if grey else pixels)
    picture = picture.convert("RGBa") if clear else picture
    for height, width in sizes:
        picture = picture.resize((width, height), Image.Resampling[name.upper()])
    resized = np.asarray(picture.convert("RGBA") if clear else picture)
    return resized[..., None] if grey else resized


def _pillow_sum(near: Bytes, weight: Float) -> Float:
    """Weigh `[n, taps]` as Pillow does in whole 2**-22ths, which float64 holds; halves go up."""
    total: NDArray[np.float64] = np.einsum("nt,nt->n", near, weight, dtype=np.float64)
    return np.floor(total + 0.5).astype(np.float32)


def _pillow_settle(values: Float, taps: Taps, exact: Exact) -> Bytes:
    """Round halves up. Whole 2**-14ths add up without any error, so that a nudge does it."""
    short = taps.weights * np.float32(2**14)
    if np.array_equal(short, np.rint(short)):
        values += np.float32(2**-15)
        return to_bytes(values)
    return settle(values, doubt(taps), exact)


def _pillow_columns(taps_of: TapsOf, pixels: Bytes, target: int) -> Bytes:
    height, width, channels = pixels.shape
    taps = _taps(taps_of, width, target)
    flat = pixels.reshape(height, -1)

    def exact(row: Indices, column: Indices) -> Float:
        place, channel = np.divmod(column, channels)
        first = row * flat.shape[1] + channel
        near = flat.take(first[:, None] + taps.places.take(place, axis=0) * channels)
        return _pillow_sum(near, taps.weights.take(place, axis=0))

    values = blend_columns(flat, target, channels, taps_of)
    return _pillow_settle(values, taps, exact).reshape(height, target, channels)


def _pillow_rows(taps_of: TapsOf, pixels: Bytes, target: int) -> Bytes:
    height, width, channels = pixels.shape
    taps = _taps(taps_of, height, target)
    flat = pixels.reshape(height, -1)

    def exact(row: Indices, column: Indices) -> Float:
        near = flat.take(taps.places.take(row, axis=0) * flat.shape[1] + column[:, None])
        return _pillow_sum(near, taps.weights.take(row, axis=0))

    values = blend_rows(flat, target, taps_of)
    return _pillow_settle(values, taps, exact).reshape(target, width, channels)


def _pillow_products(name: str, pixels: Bytes, *sizes: Size) -> Bytes:
    """Resize to one size after another, each rounded to bytes, as Pillow's two passes are."""
    for height, width in sizes:
        if width != pixels.shape[1]:
            pixels = _pillow_columns(pillow_taps[name], pixels, width)
        if height != pixels.shape[0]:
            pixels = _pillow_rows(pillow_taps[name], pixels, height)
    return pixels


def _products_pay(name: str, pixels: Bytes, size: Size) -> bool:
    """Tell whether to multiply here. A box's equal weights land on halves too often for that."""
    height, width, channels = pixels.shape
    taps = _taps(pillow_taps[name], width, size[1]).places.shape[1]
    enough = height * size[1] * channels * taps > PRODUCTS_PAY and taps >= TAPS_PAY
    return enough and name != "box" and channels != 4 and pixels.dtype == np.uint8


def _pillow_ordered(name: str, pixels: Bytes, between: Size, size: Size) -> Bytes:
    if pixels.shape[:2] == size:
        return pixels  # as Pillow does, too
    passes = _pillow_products if _products_pay(name, pixels, size) else _pillow_itself
    return passes(name, pixels, between, size)


def _pillow_12(name: str, pixels: Bytes, size: Size) -> Bytes:
    """Pillow up to 12: columns first, then rows."""
    return _pillow_ordered(name, pixels, (pixels.shape[0], size[1]), size)


def _pillow_13(name: str, pixels: Bytes, size: Size) -> Bytes:
    """Pillow from 13: rows first where the height loses over twice as many pixels as the width."""
    height, width, _ = pixels.shape
    if height - size[0] > max(0, 2 * (width - size[1])):
        return _pillow_ordered(name, pixels, (size[0], width), size)
    return _pillow_12(name, pixels, size)


# -- OpenCV -----------------------------------------------------------------------------------


def _opencv_fixed(taps_of: TapsOf, pixels: Bytes, size: Size) -> Bytes:
    """OpenCV's two-tap passes in whole numbers: `((b * (sum >> 4)) >> 16)` for each of two rows."""
    height, _, channels = pixels.shape
    taps = _taps(taps_of, height, size[0])
    used, row = np.unique(taps.places, return_inverse=True)
    flat = pixels.reshape(height, -1)[used]
    # Whole 128ths of bytes fit float32, and truncating them is the shift by four.
    across = blend_columns(flat, size[1], channels, taps_of)
    across *= np.float32(OPENCV_ONE // 16)
    whole = across.astype(np.int32)
    share = (taps.weights * np.float32(OPENCV_ONE)).astype(np.int32)
    above, below = ((whole[row[:, k]] * share[:, k, None]) >> 16 for k in range(2))
    return ((above + below + 2) >> 2).astype(np.uint8).reshape(*size, channels)


def _opencv_linear(pixels: Bytes, size: Size) -> Bytes:
    """`INTER_LINEAR`; OpenCV takes exact halves for a job of `INTER_AREA`."""
    if (2 * size[0], 2 * size[1]) == pixels.shape[:2]:
        return _opencv_blocks(pixels, size)
    return _opencv_fixed(opencv_linear, pixels, size)


def _opencv_cubic(pixels: Bytes, size: Size) -> Bytes:
    """`INTER_CUBIC` of the x86-64 wheels: Intel's IPP, which declines sources below 4 pixels."""
    tiny = min(pixels.shape[:2]) < 4
    return to_bytes(blend(pixels, size, opencv_cubic_fixed if tiny else opencv_cubic))


def _opencv_blocks(pixels: Bytes, size: Size) -> Bytes:
    """`INTER_AREA` by whole factors: the mean of each block, halves up for 2 x 2."""
    blocks = pixels.shape[0] // size[0], pixels.shape[1] // size[1]
    total = blend(pixels, size, whole_factor)
    if blocks == (2, 2):
        return np.floor((total + 2) / 4).astype(np.uint8)
    return to_bytes(total * (np.float32(1) / np.float32(blocks[0] * blocks[1])))


def _in_order(products: Float) -> Float:
    """Add up the last axis from first to last, each step rounded to float32."""
    return np.cumsum(products, axis=-1, dtype=np.float32)[..., -1]


def _opencv_overlaps(pixels: Bytes, size: Size) -> Bytes:
    """`INTER_AREA` by any factor above one: overlaps, summed in float32 along rows first."""
    height, width, channels = pixels.shape
    rows, columns = _taps(opencv_area, height, size[0]), _taps(opencv_area, width, size[1])

    def exact(row: Indices, column: Indices) -> Float:
        place, channel = np.divmod(column, channels)
        near = pixels[
            rows.places[row][:, :, None], columns.places[place][:, None], channel[:, None, None]
        ]
        across = _in_order(near * columns.weights[place][:, None])
        return np.rint(_in_order(across * rows.weights[row]))

    values = blend(pixels, size, opencv_area).reshape(size[0], -1)
    return settle(values, 2 * (doubt(rows) + doubt(columns)), exact).reshape(*size, channels)


def _opencv_area(pixels: Bytes, size: Size) -> Bytes:
    """`INTER_AREA`: three algorithms under one name."""
    lengths = list(zip(pixels.shape[:2], size, strict=True))
    if any(source < target for source, target in lengths):
        return _opencv_fixed(opencv_area_enlarging, pixels, size)
    if all(opencv_factor(*pair) for pair in lengths):
        return _opencv_blocks(pixels, size)
    return _opencv_overlaps(pixels, size)


# -- the table --------------------------------------------------------------------------------


def _blend(taps_of: TapsOf, pixels: Bytes, size: Size) -> Float:
    return blend(pixels, size, taps_of)


def pillow_filters(version: int) -> dict[str, Resizer]:
    """Return Pillow's filters as a major version of Pillow computes them."""
    ordered = _pillow_13 if version >= 13 else _pillow_12
    kernels = {f"pillow-{name}": partial(ordered, name) for name in pillow_taps}
    return {"pillow-nearest": partial(_nearest, _pillow_nearest), **kernels}


FILTERS: Mapping[str, Resizer] = MappingProxyType(
    {
        "tensorflow-nearest": partial(_nearest, _tensorflow_nearest),
        "tensorflow-bilinear": partial(_blend, tensorflow_bilinear),
        "tensorflow-bilinear-antialias": partial(_blend, tensorflow_antialias),
        "tensorflow-bicubic": partial(_blend, tensorflow_bicubic),
        "tensorflow-area": partial(_blend, tensorflow_area),
        **pillow_filters(int(PIL.__version__.split(".")[0])),
        "opencv-nearest": partial(_nearest, _opencv_nearest),
        "opencv-linear": _opencv_linear,
        "opencv-cubic": _opencv_cubic,
        "opencv-area": _opencv_area,
        "skimage-linear": partial(_blend, skimage_linear),
    }
)


def resize(pixels: Bytes, size: Size, name: str) -> Resized:
    """Resize `[height, width, channels]` uint8 to `size`, (height, width), by a filter's name."""
    return FILTERS[name](pixels, size)
