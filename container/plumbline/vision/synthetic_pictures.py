"""Pictures that nobody took, the same every time: what two ways to compute a model are held against
where there are no golden pictures.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from plumbline.vision.arrays import Pixels

SIZE = (240, 320)
"""(height, width); no square, and neither side what models take."""

SEED = 20

PHOTOGRAPHS = 5


def pictures(form: str) -> tuple[bytes, ...]:
    """Files in a form of Pillow's: like photographs, gradients, pure noise, black and white."""
    random = np.random.default_rng(SEED)
    drawn = [
        *(photograph(random) for _ in range(PHOTOGRAPHS)),
        gradients(),
        random.integers(0, 256, (*SIZE, 3), np.uint8),
        np.full((*SIZE, 3), 255, np.uint8),
        np.zeros((*SIZE, 3), np.uint8),
    ]
    return tuple(file(pixels, form) for pixels in drawn)


def photograph(random: np.random.Generator) -> Pixels:
    """`[height, width, 3]`: coarse patches of colour with ever finer and fainter ones on them."""
    height, width = SIZE
    total = np.zeros((height, width, 3))
    for octave in range(1, 8):
        patches = random.integers(0, 256, (2**octave, 2**octave, 3), np.uint8)
        grown = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(grown, np.float64) / 2**octave
    low, high = total.min(), total.max()
    pixels: Pixels = np.rint(255 * (total - low) / (high - low)).astype(np.uint8)
    return pixels


def gradients() -> Pixels:
    """`[height, width, 3]`: red grows to the right, green downwards, blue against both."""
    height, width = SIZE
    down, right = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels: Pixels = np.rint(255 * np.stack([right, down, 1 - (right + down) / 2], axis=2)).astype(
        np.uint8
    )
    return pixels


def file(pixels: Pixels, form: str) -> bytes:
    """The picture as a file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()
