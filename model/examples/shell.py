"""`plumbline` as one would type it, and its drawings on one sheet."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

GAP = 12
"""Pixels between pictures, and around them."""


def plumbline(*words: object) -> None:
    """Run a command of Plumbline's, and say which. Ends this program where it fails."""
    command = [str(word) for word in words]
    print("$ plumbline", shlex.join(command), flush=True)
    status = subprocess.run([sys.executable, "-m", "plumbline", *command], check=False).returncode
    if status:
        sys.exit(status)


def sheet(pictures: Iterable[Path], file: Path, across: int = 3, height: int = 240) -> None:
    """The pictures in rows, all of one height, as a PNG file."""
    shown = [fitted(Image.open(picture).convert("RGB"), height) for picture in pictures]
    rows = [shown[first : first + across] for first in range(0, len(shown), across)]
    width = max(sum(each.width + GAP for each in row) for row in rows) + GAP
    whole = Image.new("RGB", (width, len(rows) * (height + GAP) + GAP), "white")
    for number, row in enumerate(rows):
        left = GAP
        for each in row:
            whole.paste(each, (left, GAP + number * (height + GAP)))
            left += each.width + GAP
    whole.save(file)
    print(f"{file} shows {len(shown)} of them.")


def fitted(picture: Image.Image, height: int) -> Image.Image:
    """The picture in this height."""
    size = round(picture.width * height / picture.height), height
    return picture.resize(size, Image.Resampling.LANCZOS)
