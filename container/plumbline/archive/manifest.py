"""manifest.json: the SHA-256 of every file of a packed archive, and whether they still are so."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from plumbline.archive import hdf5
from plumbline.archive.accelerated_files import FOLDER as FORMS
from plumbline.archive.damage import told
from plumbline.archive.handler_code import FOLDER as CODE
from plumbline.archive.json_files import parse_json
from plumbline.archive.tuning_file import FILE as TUNING
from plumbline.errors import ArchiveError
from plumbline.spec.checks import FILE as SPEC
from plumbline.spec.model_spec import ModelSpec

log = logging.getLogger("plumbline.loading")

FILE = "manifest.json"

SAVED_MODEL = "saved_model.pb"

BASELINE = "baseline.json"
"""What is usual of pictures and answers."""

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
    """Whether there is a manifest; what differs from it raises `ArchiveError` that names it.

    What was not packed and is read by nothing is told in the log: SageMaker's local mode unpacks an
    archive beside whatever lies there.
    """
    file = root / FILE
    if not file.is_file():
        return False
    promised = read(file)
    there = set(files(root))
    strange = sorted(there - set(promised))
    found = {
        "is missing": sorted(set(promised) - there),
        "was not packed": [name for name in strange if may_be_read(name, promised)],
        "was changed": [
            name for name in sorted(there & set(promised)) if digest(root / name) != promised[name]
        ],
    }
    complaints = [f"{shortened(names)} {what}" for what, names in found.items() if names]
    if complaints:
        raise ArchiveError(f"{FILE}: {'; '.join(complaints)}. {REMEDY}")
    if strange:
        log.warning(
            "%s: %s beside the model was not packed; nothing reads it.", FILE, shortened(strange)
        )
    return True


def fingerprint(root: Path) -> str:
    """Twelve digits that tell one packed archive from another; empty where none was packed.

    They begin the SHA-256 of the manifest, which holds those of all files.
    """
    file = root / FILE
    return digest(file)[:12] if file.is_file() else ""


READ_NAMES = (SPEC, TUNING, BASELINE, SAVED_MODEL)
"""Files that are read wherever they lie."""

READ_FOLDERS = (CODE, FORMS, ModelSpec().golden.images)
"""Folders that are looked into if they are there."""


def may_be_read(name: str, promised: Iterable[str]) -> bool:
    """Whether a file that was not packed may change what is served.

    What lies in a folder of what was packed may; so may a Keras file beside no SavedModel.
    """
    top, _, below = name.partition("/")
    packed = {path.partition("/")[0] for path in promised if "/" in path}
    if bool(below) and (top in READ_FOLDERS or top in packed):
        return True
    keras = name.lower().endswith((".keras", *hdf5.SUFFIXES))
    base = name.rpartition("/")[2]
    return base in READ_NAMES or (keras and not any(map(is_saved_model, promised)))


def is_saved_model(name: str) -> bool:
    """Whether a file is a SavedModel's."""
    return name.rpartition("/")[2] == SAVED_MODEL


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
