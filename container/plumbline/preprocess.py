"""Picture + spec → tensor, exactly as in training."""

from __future__ import annotations

from plumbline.arrays import Pixels, Tensor
from plumbline.normalize import NORMALIZATIONS
from plumbline.resize import resize
from plumbline.spec import Preprocess


def preprocess(pixels: Pixels, spec: Preprocess, size: tuple[int, int], dtype: str) -> Tensor:
    """The model's input for one picture: `[height, width, channels]` of `dtype`.

    `pixels` is `[height, width, channels]` uint8; `size` is (height, width).
    """
    resized = resize(pixels, size, spec.resize)
    return NORMALIZATIONS[spec.normalize](resized).astype(dtype, copy=False)
