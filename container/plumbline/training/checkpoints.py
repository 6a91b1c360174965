"""Checkpoints of a job: folders that are there whole or not at all.

Each holds the arrays of the model, its optimizer and its metrics as they were after a step, and a
note of where that was. It is written under another name first, then renamed; the note has the
digest of the arrays, as a copy in S3 may hold one and not yet the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.training.errors import CheckpointError
from plumbline.vision.arrays import Tensor

KEPT = 2
"""So that one is whole, whatever happens to the other."""

NAME = re.compile(r"epoch-(\d{5})-step-(\d{7})")
ARRAYS, NOTE = "arrays.npz", "note.json"


@dataclass(frozen=True)
class Checkpoint:
    """What a job goes on from: before this step of this epoch, both counted from 0."""

    epoch: int
    step: int
    arrays: Sequence[Tensor]
    state: Mapping[str, Any]
    """What the job knows besides: JSON."""


class Checkpoints:
    """Those in a folder that are of one job: of one `fingerprint` of hyperparameters and data."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint

    def write(self, found: Checkpoint) -> Path:
        """Write one, and remove all but the newest two. Raises `CheckpointError`."""
        name = f"epoch-{found.epoch:05}-step-{found.step:07}"
        target, beside = self.folder / name, self.folder / f".{name}.part"
        try:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            self.fill(beside, found)
            shutil.rmtree(target, ignore_errors=True)
            beside.rename(target)
            settle(self.folder)
            for old in sorted(self.found())[:-KEPT]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError as exc:
            shutil.rmtree(beside, ignore_errors=True)
            raise CheckpointError(
                f"The checkpoint {target} can't be written: {exc.strerror}. Give the job a larger "
                "volume, or a checkpoint folder that it may write to."
            ) from exc
        return target

    def fill(self, folder: Path, found: Checkpoint) -> None:
        """The files of one."""
        with (folder / ARRAYS).open("wb") as file:
            np.savez(file, *found.arrays)
            file.flush()
            os.fsync(file.fileno())
        note = {
            "epoch": found.epoch,
            "step": found.step,
            "fingerprint": self.fingerprint,
            "sha256": digest(folder / ARRAYS),
            "state": found.state,
        }
        with (folder / NOTE).open("w") as file:
            json.dump(note, file, indent=1)
            file.flush()
            os.fsync(file.fileno())

    def newest(self) -> Checkpoint | None:
        """The newest that is whole; none if there is none.

        Raises `CheckpointError` if it is of other hyperparameters or data.
        """
        for folder in sorted(self.found(), reverse=True):
            if (note := note_of(folder)) is None:
                continue
            if note["fingerprint"] != self.fingerprint:
                raise CheckpointError(
                    f"The checkpoint {folder} is of a job with other hyperparameters or other "
                    "data. Choose another checkpoint folder, or empty this one."
                )
            with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
                values = [arrays[f"arr_{number}"] for number in range(len(arrays.files))]
            return Checkpoint(note["epoch"], note["step"], values, note["state"])
        return None

    def found(self) -> Iterator[Path]:
        """The folders of checkpoints, whole or not."""
        if self.folder.is_dir():
            yield from (each for each in self.folder.iterdir() if NAME.fullmatch(each.name))


def note_of(folder: Path) -> dict[str, Any] | None:
    """The note of a checkpoint that is whole."""
    try:
        note: dict[str, Any] = json.loads((folder / NOTE).read_text())
        whole = note["sha256"] == digest(folder / ARRAYS)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return note if whole else None


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def settle(folder: Path) -> None:
    """Have the kernel write down the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
