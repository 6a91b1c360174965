"""tuning.json of an archive: settings that `plumbline tune` found best, and for which machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline.archive.damage import told
from plumbline.archive.json_files import parse_json
from plumbline.errors import ArchiveError, SettingError

FILE = "tuning.json"

NAMES = (
    "PLUMBLINE_ENGINE",
    "PLUMBLINE_WORKERS",
    "PLUMBLINE_SLOTS",
    "PLUMBLINE_BATCH",
    "PLUMBLINE_STREAMS",
)
"""The settings that an archive may bring; what else the server does is not for it to say."""


def write(
    root: Path,
    cores: float,
    goal: str,
    best: Mapping[str, Mapping[str, str]],
    measured: Sequence[Mapping[str, Any]],
) -> None:
    """Write the file into the folder `root`: the best settings for each goal, and which counts.

    `measured` is for people to read.
    """
    document = {"cores": cores, "for": goal, "best": best, "measured": list(measured)}
    (root / FILE).write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def read(root: Path, cores: float) -> Mapping[str, str]:
    """The settings for a machine with so many cores; none where another one was measured.

    Raises `SettingError` if the file is damaged.
    """
    file = root / FILE
    if not file.is_file():
        return {}
    try:
        with told(FILE, "JSON"):
            document = parse_json(file.read_bytes(), FILE)
        chosen = document["best"][document["for"]]
        found = {name: str(chosen[name]) for name in chosen}
        if document["cores"] != cores:
            return {}
    except (ArchiveError, KeyError, TypeError) as exc:
        raise SettingError(f"{FILE} is damaged; run plumbline tune again, or delete it.") from exc
    return {name: found[name] for name in NAMES if name in found}
