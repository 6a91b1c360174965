"""Pictures in folders, and files that are written whole or not at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from plumbline.errors import CommandError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")


@dataclass(frozen=True)
class Found:
    """A file below a folder: where it is, its name there, and what its drawing is called there.

    `drawn` is empty for what is no picture.
    """

    path: Path
    name: str
    drawn: str = ""


def walk(folder: Path, without: Path, inside: str = "") -> Iterator[Found]:
    """Every file below the folder, sorted by name; not what is in `without`, nor in hidden folders.

    Links to files are followed, links to folders are not. Raises `CommandError` for a folder that
    can't be read.
    """
    try:
        with os.scandir(folder) as opened:
            entries = sorted(opened, key=order)
    except OSError as exc:
        raise CommandError(f"{folder} can't be read: {exc.strerror}.") from exc
    pictures = [entry.name for entry in entries if is_picture(entry)]
    drawn = dict(zip(pictures, drawn_names(pictures), strict=True))
    for entry in entries:
        path, name = Path(entry.path), inside + written(entry.name)
        if not is_searched(entry):
            if entry.is_file():
                place = drawn.get(entry.name)
                yield Found(path, name, inside + written(place) if place else "")
        elif path.resolve() != without:
            yield from walk(path, without, f"{name}/")


def order(entry: os.DirEntry[str]) -> str:
    """What sorts names with their folders as whole names are sorted."""
    return f"{entry.name}/" if is_searched(entry) else entry.name


def is_searched(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder to look into."""
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")


def is_picture(entry: os.DirEntry[str]) -> bool:
    """Whether a file is a picture by its name."""
    named = entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".")
    return named and entry.is_file()


def drawn_names(names: Sequence[str]) -> list[str]:
    """What the drawings of pictures with these file names are called: cat.jpg's is cat.png.

    It is cat.jpg.png where that is another's name, too; upper and lower case count as one.
    """
    paths = [PurePath(name) for name in names]
    taken = Counter(text.casefold() for path in paths for text in (path.name, path.stem))
    return [f"{path.stem if taken[path.stem.casefold()] == 1 else path.name}.png" for path in paths]


def written(name: str) -> str:
    r"""A file's name as text; bytes that are not UTF-8 are written as `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shown(name: str) -> str:
    """A file's name as a terminal may show it."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in name
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it appears whole, or not at all. Raises `CommandError`."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as exc:
        with suppress(OSError):
            partial.unlink()
        raise CommandError(f"{path} can't be written: {exc.strerror}.") from exc
