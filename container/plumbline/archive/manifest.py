"""manifest.json: the SHA-256 of every file of a packed archive, and whether they still are so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import filterfalse
from pathlib import Path

from plumbline.archive.damage import told
from plumbline.archive.json_files import parse_json
from plumbline.errors import ArchiveError

FILE = "manifest.json"

MOST_NAMED = 5

NO_MANIFEST = 'is no manifest: {"sha256": {path: digest}}'

REMEDY = (
    "The archive was changed after it was packed, or damaged on its way: pack it again, or "
    f"delete {FILE} if you changed it by hand and want it served unchecked."
)


def digests(root: Path) -> dict[str, str]:
    """The SHA-256 of every file below `root` but the manifest, by its path, sorted."""
    return {name: digest(root / name) for name in sorted(files(root))}


def files(root: Path) -> Iterator[str]:
    """The paths of all files below `root` but the manifest itself."""
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name != FILE:
            yield name


def digest(file: Path) -> str:
    """A file's SHA-256, in hexadecimal."""
    with told(file.name, "the system"), file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(root: Path) -> None:
    """Write the manifest of what is in `root` now."""
    text = json.dumps({"sha256": digests(root)}, indent=2, ensure_ascii=False)
    (root / FILE).write_text(text + "\n", "utf-8")


def verify(root: Path) -> bool:
    """Whether there is a manifest; what differs from it raises `ArchiveError` that names it."""
    file = root / FILE
    if not file.is_file():
        return False
    promised = read(file)
    there = set(files(root))
    found = {
        "is missing": sorted(set(promised) - there),
        "was not packed": sorted(filterfalse(is_archive, there - set(promised))),
        "was changed": [
            name for name in sorted(there & set(promised)) if digest(root / name) != promised[name]
        ],
    }
    complaints = [f"{shortened(names)} {what}" for what, names in found.items() if names]
    if complaints:
        raise ArchiveError(f"{FILE}: {'; '.join(complaints)}. {REMEDY}")
    return True


def is_archive(name: str) -> bool:
    """Whether it is an archive at the top: SageMaker's local mode unpacks it where it lies."""
    return "/" not in name and name.endswith(".tar.gz")


def read(file: Path) -> Mapping[str, str]:
    """The digests by path. Raises `ArchiveError` if the file is no manifest."""
    with told(FILE, "JSON"):
        document = parse_json(file.read_bytes(), FILE, NO_MANIFEST)
    promised = document.get("sha256") if isinstance(document, dict) else None
    if not isinstance(promised, dict):
        raise ArchiveError(f"{FILE} {NO_MANIFEST}.")
    return promised


def shortened(names: list[str]) -> str:
    """The first few of the names."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
