"""The folder of pictures that packing and searching work with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from plumbline.errors import ImageError, PackingError
from plumbline.vision.images import Limits, to_draw_on


def find(folder: Path, limits: Limits, color: str = "rgb") -> tuple[Path, ...]:
    """The pictures in the folder, sorted by name. Raises `PackingError` if one can't be read."""
    if not folder.is_dir():
        raise PackingError(f"There is no folder of pictures {folder}.")
    pictures = tuple(files(folder))
    if not pictures:
        raise PackingError(f"The folder {folder} holds no pictures; put some in it.")
    for picture in pictures:
        check(picture, limits, color)
    return pictures


def find_some(
    sources: Sequence[Path], most: int, limits: Limits, color: str = "rgb"
) -> tuple[Path, ...]:
    """The pictures among these files and folders, at most so many, from all over their order.

    Raises `PackingError` if one of them can't be read.
    """
    found = [picture for source in sources for picture in pictures_of(source)]
    count = max(0, min(most, len(found)))
    chosen = tuple(found[number * len(found) // count] for number in range(count))
    for picture in chosen:
        check(picture, limits, color)
    return chosen


def pictures_of(source: Path) -> tuple[Path, ...]:
    """A file itself, or what a folder holds. Raises `PackingError`."""
    found = tuple(files(source)) if source.is_dir() else (source,)
    if not found:
        raise PackingError(f"The folder {source} holds no pictures; put some in it.")
    return found


def files(folder: Path) -> Iterator[Path]:
    """All files but hidden ones and those with expected outputs."""
    for file in sorted(folder.iterdir(), key=lambda path: path.name):
        if file.is_file() and not file.name.startswith(".") and file.suffix != ".npz":
            yield file


def are_deep(folder: Path) -> bool:
    """Whether the folder holds pictures of 16 bits of gray, and no others."""
    modes = [mode_of(picture) for picture in files(folder)] if folder.is_dir() else []
    return bool(modes) and all(mode.startswith("I;16") for mode in modes)


def mode_of(picture: Path) -> str:
    """What Pillow calls the picture's pixels; empty for what it can't open."""
    try:
        with Image.open(picture) as image:
            return image.mode
    except OSError:
        return ""


def check(picture: Path, limits: Limits, color: str) -> None:
    """Raise `PackingError` if requests could not send this picture to a model of this colour."""
    try:
        to_draw_on(picture.read_bytes(), color=color, exif=False, limits=limits)
    except ImageError as exc:
        raise PackingError(f"{picture} can't be used as a picture: {exc.message}") from exc
    except OSError as exc:
        raise PackingError(f"{picture} can't be read: {exc.strerror}.") from exc
