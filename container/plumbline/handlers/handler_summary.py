"""What `plumbline inspect` says of an archive's handler, which it does not run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plumbline.archive.contents import Archive
from plumbline.archive.handler_functions import REPLACED, chosen


def handler(archive: Archive) -> dict[str, Any] | None:
    """The file of the user's code, and what its functions replace. Raises `HandlerError`."""
    code = archive.code
    if code is None:
        return None
    names = chosen(code.names, code.name)
    return {"file": code.name, "replaces": {name: REPLACED[name] for name in names}}


def handler_rows(archive: Archive) -> Iterator[tuple[str, str]]:
    """The same, for people."""
    told = handler(archive)
    if told is None:
        yield "file", "none: there is no code/inference.py, and no code in the archive is run"
    else:
        yield "file", f"{told['file']}: Python code, which runs in the server"
        yield from told["replaces"].items()
    for sentence in archive.not_run:
        yield "warning", sentence
