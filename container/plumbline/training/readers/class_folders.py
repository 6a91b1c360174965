"""A folder of folders, one a class, as `keras.utils.image_dataset_from_directory` reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry, Labelled

PICTURES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".heic")
)
"""What counts as a picture: other files beside them are left alone, as Keras leaves them."""


def read_folder(folder: Path) -> Labelled[int]:
    """The pictures of each class, in the order of their names, however deep they lie.

    Raises `DataError` for a class without pictures, or if there are no folders.
    """
    classes = tuple(sorted(each.name for each in folder.iterdir() if visible(each)))
    if not classes:
        raise DataError(
            f"{folder.name} holds no folders. Put the pictures of each class in a folder of its "
            "own that has the name of the class."
        )
    entries = []
    for number, name in enumerate(classes):
        found = [
            Entry(file.relative_to(folder).as_posix(), file, number)
            for file in files(folder / name)
        ]
        if not found:
            raise DataError(
                f"The class {name!r} has no pictures: {folder.name}/{name} is empty, or holds only "
                f"files that end otherwise than in {', '.join(sorted(PICTURES))}."
            )
        entries += found
    return Labelled(entries, classes)


def visible(path: Path) -> bool:
    """Whether it is a class's folder."""
    return path.is_dir() and not path.name.startswith((".", "__"))


def files(folder: Path) -> Iterator[Path]:
    """The pictures below a folder, sorted by path."""
    for top, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURES:
                yield Path(top, name)
