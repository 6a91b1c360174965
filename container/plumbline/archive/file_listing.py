"""What lies in a folder, as a part of a screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MOST_LINES = 14
MOST_FILES = 20_000


@dataclass(frozen=True)
class Scene:
    """What lies in a folder: all its files, their paths relative to it, sorted."""

    root: Path

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files, at most 20,000, without what macOS leaves behind."""
        return tuple(sorted(self._walk()))

    def _walk(self) -> Iterator[Path]:
        for count, path in enumerate(self.root.rglob("*")):
            if count >= MOST_FILES:
                return
            inner = path.relative_to(self.root)
            if path.is_file() and not any(p.startswith((".", "__MACOSX")) for p in inner.parts):
                yield inner

    def ending(self, *suffixes: str) -> list[Path]:
        """The files whose names end so, those nearest to the top first."""
        found = [file for file in self.files if file.name.lower().endswith(suffixes)]
        return sorted(found, key=lambda file: (len(file.parts), file))

    def tree(self) -> str:
        """The files with their sizes, cut to a part of a screen."""
        if not self.files:
            return "What is there\n  nothing: the folder is empty"
        sizes = [(self.root / file).stat().st_size for file in self.files]
        shown = zip(self.files[:MOST_LINES], sizes, strict=False)
        lines = [f"  {short(file.as_posix()):<52} {readable(size):>12}" for file, size in shown]
        more = len(self.files) - MOST_LINES
        head = f"What is there ({len(self.files)} files, {readable(sum(sizes))})"
        return "\n".join([head, *lines, *([f"  … and {more} more"] if more > 0 else [])])


def short(text: str, most: int = 52) -> str:
    """The text, its middle left out if it is too long for a line."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def readable(size: int) -> str:
    """A number of bytes as people write it."""
    units = ((1024**3, "GB"), (1024**2, "MB"), (1024, "KB"))
    for unit, name in units:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
