"""Model, declaration, labels and golden pictures → model.tar.gz, checked before it is written."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plumbline import cgroups, spec, tarball
from plumbline.arrays import Tensor
from plumbline.images import Limits
from plumbline.loading import load_pipeline

log = logging.getLogger("plumbline.packing")


@dataclass(frozen=True)
class GoldenPicture:
    """A picture file, and the output that the user's own code gives for it."""

    picture: Path
    expected: Tensor


@dataclass(frozen=True)
class Contents:
    """What goes into an archive; `model` is a SavedModel folder or a `.keras` file."""

    model: Path
    spec: str
    files: Mapping[str, str] = field(default_factory=dict)
    goldens: tuple[GoldenPicture, ...] = ()


def pack(contents: Contents, archive: Path) -> None:
    """Write `archive`, after its golden pictures came out right in the server's own pipeline.

    Raises a `ModelError`, `GoldenMismatch` above all; then nothing is written.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-pack-") as name:
        folder = Path(name)
        lay_out(contents, folder)
        cores = max(1, int(cgroups.machine().cores))
        load_pipeline(folder, Limits(), len(contents.goldens) or 1, cores, log.info)
        tarball.pack(folder, archive)


def lay_out(contents: Contents, folder: Path) -> None:
    """The archive's files, in place."""
    if contents.model.is_dir():
        shutil.copytree(contents.model, folder / contents.model.name)
    else:
        shutil.copy(contents.model, folder)
    (folder / spec.FILE).write_text(contents.spec, "utf-8")
    for name, text in contents.files.items():
        (folder / name).write_text(text, "utf-8")
    golden_folder = folder / spec.parse(contents.spec).golden.images
    golden_folder.mkdir(parents=True)
    for golden in contents.goldens:
        shutil.copy(golden.picture, golden_folder)
        np.savez(golden_folder / f"{golden.picture.name}.npz", output=golden.expected)
