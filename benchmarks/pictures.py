"""The pictures that are sent: one photograph as a JPEG of three sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from encoded import encode, photograph

SIZES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"32px": (32, 32), "640x480": (480, 640), "12MP": (3000, 4000)}
)
"""(height, width): a thumbnail, a web picture, what a telephone takes."""

QUALITY = 90


def write(folder: Path) -> dict[str, Path]:
    """Each picture's file, made if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.jpg" for name in SIZES}
    for name, file in files.items():
        if not file.exists():
            file.write_bytes(encode(photograph(SIZES[name]), "JPEG", quality=QUALITY))
    return files
