"""The pictures of a data set with their masks, both laid into the network's size alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from plumbline.training.decoded_pictures import DecodedPictures, How
from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry
from plumbline.training.readers.mask_files import AS_THEY_ARE, IGNORED, LabelMap, read_mask
from plumbline.training.upright_annotations import turned_by
from plumbline.vision.arrays import Tensor
from plumbline.vision.crops import fit_of
from plumbline.vision.fit import Placement, place
from plumbline.vision.geometry import Geometry, Size, upright
from plumbline.vision.masks import Mask
from plumbline.vision.resize import FILTERS

NEAREST = FILTERS["pillow-nearest"]


@dataclass(frozen=True)
class Annotation:
    """Where a picture's mask lies, what its values mean, and what is found in it.

    `orientation` is EXIF's, by which the mask is turned upright as its picture is: 1 where the mask
    is upright already. `digest` is the SHA-256 of the classes of its pixels.
    """

    file: Entry[None] = field(repr=False)
    meaning: LabelMap = field(default=AS_THEY_ARE, repr=False)
    digest: str = ""
    classes: tuple[int, ...] = ()
    orientation: int = 1


class MaskedPictures(DecodedPictures):
    """Pictures whose entries have an `Annotation` for a label.

    What is kept of a picture has one channel more: the class of each pixel, `IGNORED` where the
    network sees nothing of the picture. Masks of more than `classes` classes are bad.
    """

    def __init__(
        self, entries: Sequence[Entry[Annotation]], how: How, threads: int, classes: int | None
    ) -> None:
        super().__init__(entries, how, threads)
        self.classes = classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """`[height, width, channels + 1]`."""
        height, width, channels = self.how.shape
        return height, width, channels + 1

    def understood(self, data: bytes, entry: Entry[Any]) -> tuple[Tensor, Annotation]:
        """A picture and its mask in one, and what is known of the mask then."""
        values, geometry = self.how.laid(data)
        found: Annotation = entry.label
        try:
            mask = read_mask(found.file.read(), found.meaning, self.how.limits)
            orientation = orientation_of(mask, geometry)
            classes = classes_in(mask, self.classes)
        except DataError as exc:
            raise DataError(f"its mask {found.file.name} {exc.message}") from exc
        grid, _ = self.laid(upright(mask[..., np.newaxis], orientation))
        digest = hashlib.sha256(repr(mask.shape).encode() + mask.tobytes()).hexdigest()
        known = replace(found, digest=digest, classes=classes, orientation=orientation)
        return np.concatenate([values, grid.astype(values.dtype)], axis=-1), known

    def laid(self, mask: Tensor) -> tuple[Tensor, Geometry]:
        """An upright mask `[height, width, 1]` in the network's size, as its picture lies there."""
        fit = fit_of(self.how.preprocess.fit)

        def ignoring(source: Size, target: Size) -> Placement:
            return fit(source, target)._replace(fill=IGNORED)

        return place(mask, self.how.size, ignoring, NEAREST)

    def batch(self, numbers: Sequence[int]) -> Tensor:
        """The pictures alone: `[n, height, width, channels]`, resized and not normalised."""
        return self.with_masks(numbers)[0]

    def with_masks(self, numbers: Sequence[int]) -> tuple[Tensor, Mask]:
        """The pictures, and the class of each of their pixels `[n, height, width]` uint8."""
        both = super().batch(numbers)
        return both[..., :-1], both[..., -1].astype(np.uint8)

    def truths(self, numbers: Sequence[int]) -> Iterator[tuple[Mask, Geometry]]:
        """The masks of some pictures in their own size, upright, and how those are laid."""
        yield from self.each(self.truth, [self.entries[number] for number in numbers])

    def truth(self, entry: Entry[Annotation]) -> tuple[Mask, Geometry]:
        """One of them."""
        found = entry.label
        mask = upright(
            read_mask(found.file.read(), found.meaning, self.how.limits)[..., np.newaxis],
            found.orientation,
        )
        return mask[..., 0], self.laid(mask)[1]


def classes_in(mask: Mask, classes: int | None) -> tuple[int, ...]:
    """The classes that are there. Raises `DataError` for one that is beyond their number."""
    there = np.flatnonzero(np.bincount(mask.ravel(), minlength=IGNORED + 1)[:IGNORED])
    found = tuple(int(number) for number in there)
    if classes is not None and found and found[-1] >= classes:
        raise DataError(
            f"has the class {found[-1]}, and there are {classes} classes, counted from 0. Set "
            "num_classes to their number, or mend the mask."
        )
    return found


def orientation_of(mask: Mask, geometry: Geometry) -> int:
    """By which EXIF orientation a mask is turned. Raises `DataError` if its size is another."""
    found = turned_by(mask.shape, geometry)
    if found is None:
        height, width = geometry.source
        raise DataError(
            f"is of {mask.shape[1]}×{mask.shape[0]} pixels, and the picture of {width}×{height}. "
            "Each pixel of the picture has to have one in the mask."
        )
    return found
