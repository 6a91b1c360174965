"""Pixels to the numbers a network was trained on, in float32, to the bit.

Each step is rounded to float32 on its own, in the order the library takes, because
`x / 255` and `x * (1 / 255)` differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Normalization:
    """`(x / divisor * scale - mean) / std` for each channel, channels reversed first if asked.

    `mean` and `std` have one value, or one for each channel in the order that comes out.
    """

    divisor: float = 1.0
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    reverse: bool = False
    per_image: bool = False
    """Whether each picture's own mean and standard deviation are what is taken."""

    def __call__(self, pixels: NDArray[np.uint8] | Float) -> Float:
        """Normalize `[..., height, width, channels]`, 0..255, into a new float32 array."""
        values = (pixels[..., ::-1] if self.reverse else pixels).astype(np.float32, order="C")
        # Dividing or multiplying by one and taking nothing away change no bit, and are left out.
        if self.divisor != 1:
            values /= np.float32(self.divisor)
        if self.scale != 1:
            values *= np.float32(self.scale)
        if any(self.mean):
            values -= np.array(self.mean, np.float32)
        if set(self.std) != {1.0}:
            values /= np.array(self.std, np.float32)
        return standardized(values) if self.per_image else values


def standardized(values: Float) -> Float:
    """`tf.image.per_image_standardization` of `[..., height, width, channels]`, in float32."""
    axes = tuple(range(-min(3, values.ndim), 0))
    mean = values.mean(axes, np.float64, keepdims=True)
    spread = values.std(axes, np.float64, keepdims=True)
    least = 1 / np.sqrt(np.prod([values.shape[axis] for axis in axes]))
    centred: Float = values - mean.astype(np.float32)
    centred /= np.maximum(spread, least).astype(np.float32)
    return centred


def rescaling(scale: float, offset: float = 0.0) -> Normalization:
    """`keras.layers.Rescaling(scale, offset)`, which multiplies."""
    return Normalization(scale=scale, mean=(-offset,))


# tf, torch and caffe are the modes of `keras.applications.imagenet_utils.preprocess_input`.
NORMALIZATIONS: Mapping[str, Normalization] = MappingProxyType(
    {
        "none": Normalization(),
        "unit": Normalization(divisor=255),
        "tf": Normalization(divisor=127.5, mean=(1.0,)),
        "torch": Normalization(divisor=255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        "caffe": Normalization(mean=(103.939, 116.779, 123.68), reverse=True),
        "standardize": Normalization(per_image=True),
    }
)
