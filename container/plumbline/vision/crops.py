"""Fits that cut or pad pictures as calls of the libraries do it that people trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from plumbline.vision.fit import FITS, Fit, Placement, whole
from plumbline.vision.geometry import Area, Rect, Size


@dataclass(frozen=True)
class ShorterSide:
    """torchvision's `Resize(side)` and `CenterCrop(size)`: what is too small is padded."""

    side: int

    def __call__(self, source: Size, target: Size) -> Placement:
        """See `plumbline.vision.fit`; `inner` reaches beyond the input where it is cut off."""
        shorter = min(source)
        height, width = (
            self.side if length == shorter else int(self.side * length / shorter)
            for length in source
        )
        left, top = centred(width, target[1]), centred(height, target[0])
        return Placement(whole(source), Rect(left, top, width, height))


def centred(length: int, room: int) -> int:
    """Where a side begins in so much room, as torchvision's `center_crop` rounds it."""
    return (room - length) // 2 if length <= room else -round((length - room) / 2)


@dataclass(frozen=True)
class CentralCrop:
    """`tf.image.central_crop(picture, share)`, then resized, as TF-slim's evaluation does it."""

    share: float

    def __call__(self, source: Size, target: Size) -> Placement:
        """See `plumbline.vision.fit`."""
        top, left = (int((length - length * self.share) / 2) for length in source)
        window = Rect(left, top, source[1] - 2 * left, source[0] - 2 * top)
        return Placement(window, whole(target))


def pillow_fit(source: Size, target: Size) -> Placement:
    """`PIL.ImageOps.fit`: the middle in the input's shape, not in whole pixels."""
    height, width = map(float, source)
    shape = target[1] / target[0]
    if width / height > shape:
        width = shape * height
    elif width / height < shape:
        height = width / shape
    left, top = (source[1] - width) * 0.5, (source[0] - height) * 0.5
    return Placement(Area(left, top, width, height), whole(target))


def pillow_pad(source: Size, target: Size) -> Placement:
    """`PIL.ImageOps.pad`: resize to what fits, rounded, in the middle of black."""
    height, width = target
    shape, room = source[1] / source[0], target[1] / target[0]
    if shape > room:
        height = max(1, round(source[0] / source[1] * width))
    elif shape < room:
        width = max(1, round(source[1] / source[0] * height))
    left, top = round((target[1] - width) * 0.5), round((target[0] - height) * 0.5)
    return Placement(whole(source), Rect(left, top, width, height))


def crop_or_pad(source: Size, target: Size) -> Placement:
    """`tf.image.resize_with_crop_or_pad`: nothing is resized."""
    height, width = map(min, source, target)
    cut = [max(0, own - room) // 2 for own, room in zip(source, target, strict=True)]
    free = [max(0, room - own) // 2 for own, room in zip(source, target, strict=True)]
    return Placement(Rect(cut[1], cut[0], width, height), Rect(free[1], free[0], width, height))


NAMED: Mapping[str, Fit] = MappingProxyType(
    {**FITS, "pillow-fit": pillow_fit, "pillow-pad": pillow_pad, "crop-or-pad": crop_or_pad}
)
"""All fits that need no number."""


def fit_of(declared: str | Fit) -> Fit:
    """The fit that plumbline.toml names, or describes."""
    return NAMED[declared] if isinstance(declared, str) else declared
