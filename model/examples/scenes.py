"""Pictures to find things in: scanned digits on slips of paper, strewn over a photograph.

The digits are the 1,797 that come with scikit-learn (8×8 scans), the photographs its two. Scenes
that are held out have digits and parts of the photographs that no other scene has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

SIZES = ((320, 240), (240, 320), (288, 288), (360, 240))
"""Widths and heights of the pictures."""

BACKGROUND, PAPER, INK = range(3)
"""What a pixel of a mask is."""

SURFACES = ("background", "paper", "ink")

FAINTEST_INK = 96
"""What counts as ink, of 255: the scans are gray where a stroke is thin."""

SHADE = 120
"""How dark the shadow of a slip is, of 255."""

HELD_OUT_FROM = 427
"""The column where the held-out part of the photographs begins; they are 640 wide."""


class Scene(NamedTuple):
    """A picture, and what is on it.

    `boxes` `[n, 4]` float64 are the digits' ink, left, top, right and bottom in pixels; `digits`
    `[n]` are 0 to 9. `mask` `[height, width]` uint8 holds `BACKGROUND`, `PAPER` or `INK`.
    """

    picture: Image.Image
    boxes: np.ndarray
    digits: np.ndarray
    mask: np.ndarray


class Slip(NamedTuple):
    """A slip of paper `[height, width]`: its colours, where there is paper, and where ink."""

    picture: Image.Image
    paper: Image.Image
    ink: Image.Image


class Source(NamedTuple):
    """What scenes are made of: scans `[n, 8, 8]` from 0 to 1, their digits, and photographs."""

    scans: np.ndarray
    digits: np.ndarray
    photos: tuple[Image.Image, ...]


@cache
def source(held_out: bool) -> Source:
    """A fifth of the digits and a third of the photographs are held out."""
    from sklearn.datasets import load_digits, load_sample_image
    from sklearn.model_selection import train_test_split

    found = load_digits()
    scans, digits = found.images / 16, found.target
    numbers = np.arange(len(digits))
    chosen = train_test_split(numbers, test_size=0.2, stratify=digits, random_state=0)[held_out]
    names = ("china.jpg", "flower.jpg")
    photos = [np.split(load_sample_image(name), [HELD_OUT_FROM], axis=1) for name in names]
    return Source(
        scans[chosen], digits[chosen], tuple(Image.fromarray(parts[held_out]) for parts in photos)
    )


def scenes(count: int, *, held_out: bool, seed: int = 0) -> Iterator[Scene]:
    """So many scenes; the same ones for the same seed."""
    for number in range(count):
        yield compose(np.random.default_rng((seed, held_out, number)), source(held_out))


def compose(rng: np.random.Generator, parts: Source) -> Scene:
    """One scene: three to six digits, and up to two slips with nothing on them."""
    picture = background(rng, parts)
    mask = np.full(picture.size[::-1], BACKGROUND, np.uint8)
    written = rng.permutation([True] * rng.integers(3, 7) + [False] * rng.integers(0, 3))
    taken: list[np.ndarray] = []
    boxes, digits = [], []
    for is_written in written:
        chosen = rng.integers(len(parts.digits))
        size = rng.uniform(0.16, 0.32) * min(picture.size)
        slip = make_slip(rng, parts.scans[chosen] * is_written, size)
        place = free_place(rng, slip, picture, taken)
        if place is None:
            continue
        taken.append(place)
        box = lay(slip, place, picture, mask)
        if is_written:
            boxes.append(box)
            digits.append(parts.digits[chosen])
    return Scene(noisy(rng, picture), np.array(boxes, float).reshape(-1, 4), np.array(digits), mask)


def background(rng: np.random.Generator, parts: Source) -> Image.Image:
    """A part of a photograph, turned any way, its light and colours altered."""
    photo, size = parts.photos[rng.integers(len(parts.photos))], SIZES[rng.integers(len(SIZES))]
    photo = photo.transpose(Image.Transpose(int(rng.integers(len(Image.Transpose)))))
    scale = rng.uniform(0.5, 1) * min(np.divide(photo.size, size))
    width, height = np.multiply(size, scale)
    left, top = rng.uniform(0, np.subtract(photo.size, (width, height)))
    part = photo.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
    colored = ImageEnhance.Color(part).enhance(rng.uniform(0, 1.5))
    return ImageEnhance.Brightness(colored).enhance(rng.uniform(0.6, 1.05))


def make_slip(rng: np.random.Generator, scan: np.ndarray, height: float) -> Slip:
    """A slip a little askew, with a digit so many pixels high."""
    size = round(height * rng.uniform(0.75, 1.1)), round(height)
    left, top, right, bottom = np.round(height * rng.uniform(0.08, 0.3, 4)).astype(int)
    whole = left + size[0] + right, top + size[1] + bottom
    ink = Image.new("L", whole)
    drawn = Image.fromarray(np.uint8(np.round(scan * 255)))
    ink.paste(drawn.resize(size, Image.Resampling.BICUBIC), (left, top))
    paper_color = rng.uniform(185, 250) - rng.uniform(0, 30, 3)
    sheet = Image.new("RGB", whole, tuple(paper_color.astype(int)))
    sheet.paste(tuple(rng.integers(0, 110, 3).tolist()), mask=ink)
    layers = sheet, Image.new("L", whole, 255), ink
    angle = rng.uniform(-8, 8)
    return Slip(*(layer.rotate(angle, Image.Resampling.BILINEAR, expand=True) for layer in layers))


def free_place(
    rng: np.random.Generator, slip: Slip, picture: Image.Image, taken: list[np.ndarray]
) -> np.ndarray | None:
    """Where the slip goes, left, top, right and bottom; None if nothing was found free."""
    size = np.array(slip.picture.size)
    for _ in range(30):
        corner = rng.integers(0, np.subtract(picture.size, size) + 1)
        place = np.concatenate([corner, corner + size])
        apart = ((place[:2] >= other[2:]) | (place[2:] <= other[:2]) for other in taken)
        if all(axes.any() for axes in apart):
            return place
    return None


def lay(slip: Slip, place: np.ndarray, picture: Image.Image, mask: np.ndarray) -> np.ndarray:
    """Lay the slip on the picture and the mask; the box of its ink, nothing if there is none."""
    left, top, right, bottom = place.tolist()
    shadow = slip.paper.point([level * SHADE // 255 for level in range(256)])
    picture.paste((0, 0, 0), (left + 2, top + 3), shadow)
    picture.paste(slip.picture, (left, top), slip.paper)
    part = mask[top:bottom, left:right]
    part[np.asarray(slip.paper) > 127] = PAPER
    ink = np.asarray(slip.ink) > FAINTEST_INK
    part[ink] = INK
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros(4)
    corners = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return np.add(corners, (left, top, left, top))


def noisy(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """The picture with a camera's noise."""
    noise = rng.standard_normal((*picture.size[::-1], 3), np.float32) * np.float32(
        rng.uniform(0, 8)
    )
    return Image.fromarray(np.uint8(np.clip(np.asarray(picture) + noise, 0, 255)))
