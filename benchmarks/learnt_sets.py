"""Pictures that packages ship, as folders that a job and a plain loop learn from."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as photographs
from sklearn.datasets import load_digits

sys.path.append(str(Path(__file__).parents[1] / "model/examples"))

from ground_truth import write_scenes
from scenes import scenes

PIECES = (
    *("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel"),
    *("immunohistochemistry", "moon", "page", "rocket", "text"),
)
"""Photographs that come with scikit-image; which of them a piece is from is to be told."""

PIECE = 48
"""Pixels of a side."""

FIFTH = 5
"""One of so many digits is validated on."""

LEARNT, HELD_OUT = 1600, 200
"""Scenes that are learnt from and validated on."""


def digits(folder: Path) -> None:
    """scikit-learn's scanned digits, enlarged."""
    found = load_digits()
    for number, (digit, label) in enumerate(zip(found.images, found.target, strict=True)):
        ink = Image.fromarray(np.uint8(np.round(255 - digit * (255 / 16)))).convert("RGB")
        side = "validation" if number % FIFTH == 0 else "train"
        keep(ink.resize((40, 40), Image.Resampling.BICUBIC), folder, side, str(label), number)


def pieces(folder: Path) -> None:
    """Gray pieces of photographs, 200 of each a side, which share no pixel with the other side's.

    Photographs are cut into bands as high as a piece: those learnt from are of every other one.
    """
    chooser = np.random.default_rng(0)
    for label in PIECES:
        pixels = np.asarray(Image.fromarray(getattr(photographs, label)()).convert("L"))
        bands = pixels.shape[0] // PIECE
        for first, side in enumerate(("train", "validation")):
            for number in range(200):
                top = PIECE * chooser.choice(np.arange(first, bands, 2))
                left = chooser.integers(0, pixels.shape[1] - PIECE)
                piece = Image.fromarray(pixels[top : top + PIECE, left : left + PIECE])
                keep(piece.convert("RGB"), folder, side, label, number)


def keep(picture: Image.Image, folder: Path, side: str, label: str, number: int) -> None:
    """A picture as a file of its class."""
    file = folder / side / label / f"{number:05}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def boxes(folder: Path) -> None:
    """Scenes with boxes, in an augmented manifest beside the pictures."""
    for side, count in (("train", LEARNT), ("validation", HELD_OUT)):
        write_scenes(scenes(count, held_out=side == "validation"), folder / side)


def masks(folder: Path) -> None:
    """Scenes with masks, in a folder beside that of the pictures."""
    for side, count in (("train", LEARNT), ("validation", HELD_OUT)):
        pictures, annotations = folder / side, folder / f"{side}_annotation"
        pictures.mkdir(parents=True)
        annotations.mkdir()
        for number, scene in enumerate(scenes(count, held_out=side == "validation")):
            scene.picture.save(pictures / f"{number:04}.jpg", quality=95)
            Image.fromarray(scene.mask).save(annotations / f"{number:04}.png")


def many(folder: Path, count: int) -> Path:
    """Photographs of 640×480, of two classes, so many of each; of one file each, many times."""
    for label in ("coffee", "chelsea"):
        picture = Image.fromarray(getattr(photographs, label)()).resize((640, 480))
        for side, number in (("train", count), ("validation", 10)):
            target = folder / side / label
            target.mkdir(parents=True, exist_ok=True)
            picture.save(target / "0.jpg")
            for each in range(1, number):
                (target / f"{each}.jpg").hardlink_to(target / "0.jpg")
    return folder
