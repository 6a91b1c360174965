"""What was trained is kept, until what it was trained from changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

NOTE = "trained-from.sha256"


def fingerprint(sources: Iterable[str], *chosen: object) -> str:
    """The SHA-256 of these files beside this one, and of what was chosen."""
    contents = [Path(__file__).with_name(name).read_bytes() for name in sources]
    return hashlib.sha256(b"\0".join([*contents, repr(chosen).encode()])).hexdigest()


def once(folder: Path, made_from: str, train: Callable[[], None]) -> None:
    """Train, unless the model in the folder was trained from the same."""
    note = folder / NOTE
    if note.is_file() and note.read_text() == made_from:
        print(f"The model in {folder} was trained from the same already.")
        return
    note.unlink(missing_ok=True)
    train()
    note.write_text(made_from)
