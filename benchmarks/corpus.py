"""The pictures that equality is measured on: photographs, digits, gradients, noise, hard edges."""

from __future__ import annotations

from functools import cache
from importlib.metadata import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]
Size = tuple[int, int]

SIZES: tuple[tuple[Size, Size], ...] = (
    ((480, 640), (224, 224)),
    ((640, 480), (224, 224)),
    ((720, 480), (224, 224)),
    ((427, 640), (299, 299)),
    ((213, 321), (97, 131)),
    ((448, 448), (224, 224)),
    ((450, 300), (150, 100)),
    ((300, 450), (120, 180)),
    ((96, 96), (224, 224)),
    ((50, 70), (100, 140)),
    ((128, 200), (128, 90)),
    ((200, 128), (90, 128)),
    ((400, 60), (50, 90)),
    ((64, 64), (64, 64)),
    ((1, 1), (8, 8)),
    ((1, 90), (40, 33)),
    ((90, 1), (33, 40)),
    ((3, 5), (31, 17)),
    ((31, 17), (1, 1)),
)
"""Shrinking, enlarging, odd, whole and broken factors, one axis only, no change, single pixels."""


PHOTOGRAPHS = {
    "china": ("scikit-learn", "china.jpg"),
    "flower": ("scikit-learn", "flower.jpg"),
    "astronaut": ("scikit-image", "astronaut.png"),
    "coffee": ("scikit-image", "coffee.png"),
}
"""Packages and what they bring; to import them takes seconds, to read their files does not."""


@cache
def photographs() -> dict[str, Bytes]:
    """Real pictures, uint8 `[height, width, 3]`."""
    return {
        name: np.array(Image.open(brought(package, file)))
        for name, (package, file) in PHOTOGRAPHS.items()
    }


def brought(package: str, name: str) -> Path:
    """Where a file is that an installed package brings."""
    (file,) = (file for file in files(package) or () if file.name == name)
    return Path(str(file.locate()))


def patterns(size: Size, channels: int) -> dict[str, Bytes]:
    """What photographs lack, uint8 `[*size, channels]`: ties, clipping, every level."""
    rng = np.random.default_rng(0)
    row, column = np.indices(size)
    shade = {
        "gradient": (row * 3 + column * 5) % 256,
        "edges": ((row // 3 + column // 2) % 2) * 255,
        "white": np.full(size, 255),
    }
    layered = {name: np.stack([p] * channels, axis=2).astype(np.uint8) for name, p in shade.items()}
    return {"noise": rng.integers(0, 256, (*size, channels), dtype=np.uint8), **layered}


def digit() -> Bytes:
    """A handwritten digit, uint8 `[8, 8, 1]`."""
    table = brought("scikit-learn", "digits.csv.gz")
    row = np.loadtxt(table, delimiter=",", max_rows=1)
    return (row[:-1].reshape(8, 8, 1) * 15.9375).astype(np.uint8)


def tiled(picture: Bytes, size: Size) -> Bytes:
    """Cut a picture to a size, repeating it where it is smaller."""
    rows, columns = np.arange(size[0]) % picture.shape[0], np.arange(size[1]) % picture.shape[1]
    cut: Bytes = picture[rows][:, columns]
    return np.ascontiguousarray(cut)


@cache
def pictures(size: Size) -> tuple[tuple[str, Bytes], ...]:
    """Every picture of the corpus in one size, in colour, and the patterns in gray too."""
    photos = ((name, tiled(picture, size)) for name, picture in photographs().items())
    drawn = (entry for channels in (3, 1) for entry in patterns(size, channels).items())
    return (*photos, ("digit", tiled(digit(), size)), *drawn)
