"""Pieces of photographs: what last layers learn, and what faster forms are held to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

COUNT = 200
"""So many that one of them is half a percent."""

SIDES = (160, 320)
"""The smallest and the largest piece, in pixels."""

PHOTOGRAPHS = ("coffee", "rocket", "immunohistochemistry", "hubble_deep_field")
"""Easily told apart, so that the networks are as sure of their answers as trained ones are."""


def sources() -> list[NDArray[np.uint8]]:
    """Photographs `[height, width, 3]`; the place in the list is the class of their pieces."""
    return [getattr(data, name)() for name in PHOTOGRAPHS]


def write(folder: Path) -> list[Path]:
    """The pieces as JPEGs, always the same; the file's name begins with the class."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, found, files = np.random.default_rng(0), sources(), []
    for number in range(COUNT):
        class_id = number % len(found)
        files.append(folder / f"{class_id:02}-{number:03}.jpg")
        Image.fromarray(piece(found[class_id], rng)).save(files[-1], quality=90)
    return files


def piece(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square from anywhere in it."""
    side = int(rng.integers(*SIDES))
    top, left = (int(rng.integers(0, max(1, length - side))) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def class_of(file: Path) -> int:
    """The photograph that a piece is from."""
    return int(file.name[:2])
