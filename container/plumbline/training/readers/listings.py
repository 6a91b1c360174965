"""`.lst` files of `im2rec.py`: a number, a label and a path a line, with tabs between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from plumbline.training.errors import DataError
from plumbline.training.readers.entries import Entry

Numbers = tuple[float, ...]

LEAST = 3
"""Columns: a number, at least one number of the label, a path."""

FORM = (
    "a number, the class and the path of the picture, with a tab between them: 5<tab>1<tab>a/b.jpg"
)


def read_file(listing: Path, pictures: Path) -> list[Entry[Numbers]]:
    """The pictures that it lists, which lie below a folder. Raises `DataError`."""
    try:
        text = listing.read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(f"{listing.name} is not UTF-8 text.") from exc
    except OSError as exc:
        raise DataError(f"{listing.name} can't be read: {exc.strerror}.") from exc
    return list(entries(text, listing.name, pictures))


def entries(text: str, name: str, pictures: Path) -> Iterator[Entry[Numbers]]:
    """A picture of each line that isn't empty."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            label, path = columns(line, f"{name}, line {number}")
            yield Entry(path, within(pictures, path, f"{name}, line {number}"), label)


def columns(line: str, where: str) -> tuple[Numbers, str]:
    """A line's label and path."""
    _, *label, path = cells if len(cells := line.rstrip("\r\n").split("\t")) >= LEAST else ("", "")
    if not label:
        raise DataError(f"{where}: {line[:80]!r} is not {FORM}.")
    try:
        return tuple(map(float, label)), path.strip()
    except ValueError:
        raise DataError(
            f"{where}: the label {' '.join(label)[:40]!r} is no number; it has to be {FORM}."
        ) from None


def within(folder: Path, path: str, where: str) -> Path:
    """The file in the folder. Raises `DataError` for a path that leads out of it."""
    parts = PurePosixPath(path).parts
    if ".." in parts or not parts:
        raise DataError(f"{where}: the path {path[:80]!r} leads out of its channel.")
    return folder.joinpath(*(part for part in parts if part != "/"))
