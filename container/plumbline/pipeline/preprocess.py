"""Picture + spec → tensor, exactly as in training."""

from __future__ import annotations

import numpy as np

from plumbline.spec.model_spec import Preprocess
from plumbline.vision.arrays import Pixels, Tensor
from plumbline.vision.crops import fit_of
from plumbline.vision.fit import Placement, place, whole
from plumbline.vision.geometry import Geometry, Size
from plumbline.vision.images import DEEP, Picture
from plumbline.vision.normalize import NORMALIZATIONS, Normalization
from plumbline.vision.resize import FILTERS, Resizer, pillow_filters


def preprocess(pixels: Pixels, spec: Preprocess, size: tuple[int, int], dtype: str) -> Tensor:
    """The model's input for one picture: `[height, width, channels]` of `dtype`.

    `pixels` is `[height, width, channels]` uint8; `size` is (height, width).
    """
    tensor, _ = prepare(Picture(pixels), spec, size, dtype)
    return tensor


def prepare(
    picture: Picture, spec: Preprocess, size: tuple[int, int] | None, dtype: str
) -> tuple[Tensor, Geometry]:
    """The model's input as in `preprocess`, and where it came from in the picture as sent.

    Without a `size` the picture keeps its own, but for what is padded.
    """
    if size is None:
        height, width, _ = picture.pixels.shape
        size = padded_size((height, width), spec.multiple_of or 1)
        kept, geometry = place(picture.pixels, size, at_the_corner, as_it_is, picture.orientation)
        return in_dtype(normalized(kept, spec), dtype), geometry
    fit = fit_of(spec.fit)
    resized, geometry = place(picture.pixels, size, fit, resizer(spec), picture.orientation)
    return in_dtype(normalized(resized, spec), dtype), geometry


def padded_size(size: Size, step: int) -> Size:
    """The least multiples of `step` that hold the size."""
    return -(-size[0] // step) * step, -(-size[1] // step) * step


def at_the_corner(source: Size, target: Size) -> Placement:  # noqa: ARG001
    """The whole picture, as large as it is, in the upper left corner."""
    return Placement(whole(source), whole(source))


def as_it_is(pixels: Pixels, size: Size) -> Pixels:  # noqa: ARG001
    """Not resized."""
    return pixels


def resizer(spec: Preprocess) -> Resizer:
    """The filter, as the version of Pillow that was trained with computes it."""
    if spec.pillow is not None:
        return {**FILTERS, **pillow_filters(spec.pillow)}[spec.resize]
    return FILTERS[spec.resize]


def normalized(values: Tensor, spec: Preprocess) -> Tensor:
    """The values in the range that the model was trained on."""
    return values if spec.normalize == "none" else normalization(spec)(values)


def normalization(spec: Preprocess) -> Normalization:
    """What is computed of each pixel after it was resized."""
    return NORMALIZATIONS[spec.normalize] if isinstance(spec.normalize, str) else spec.normalize


def stays_bytes(spec: Preprocess) -> bool:
    """Whether pictures are uint8 until they are normalised, as with most filters."""
    if normalization(spec).per_image or spec.color == DEEP:
        return False
    kept = spec.keep_size or spec.multiple_of is not None
    return kept or resizer(spec)(np.zeros((2, 2, 3), np.uint8), (1, 1)).dtype == np.uint8


def in_dtype(values: Tensor, dtype: str) -> Tensor:
    """The values as the model takes them; whole numbers as `keras.layers.Resizing` rounds them."""
    kind = np.dtype(dtype)
    if kind.kind in "ui" and values.dtype.kind == "f":
        bounds = np.iinfo(kind)
        return np.clip(np.rint(values), bounds.min, bounds.max).astype(kind)
    return values.astype(kind, copy=False)
