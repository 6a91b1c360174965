"""Checkpoints: the newest whole one counts, whatever ended the job, and only this job's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from plumbline.training.checkpoints import ARRAYS, NOTE, Checkpoint, Checkpoints
from plumbline.training.errors import CheckpointError

VALUES = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 2)))


def write(folder: Path, *places: tuple[int, int]) -> Checkpoints:
    """Checkpoints at these epochs and steps."""
    found = Checkpoints(folder, "job")
    for epoch, step in places:
        found.write(Checkpoint(epoch, step, VALUES, {"best": 0.25, "at": [epoch, step]}))
    return found


def equal(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    """To the bit, with dtypes and shapes."""
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(one, other, strict=True)
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none", "job").newest() is None
    found = write(tmp_path / "new/folder", (2, 0), (2, 15), (10, 3)).newest()
    assert found is not None
    assert (found.epoch, found.step) == (10, 3)
    assert found.state == {"best": 0.25, "at": [10, 3]}
    assert equal(found.arrays, VALUES)


def test_the_newest_two_are_kept_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "users-own").mkdir()
    write(tmp_path, (0, 0), (0, 9), (1, 0), (1, 0))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "epoch-00000-step-0000009",
        "epoch-00001-step-0000000",
        "users-own",
    ]


@pytest.mark.parametrize("file", [ARRAYS, NOTE])
@pytest.mark.parametrize("damage", ["gone", "cut", "another's"])
def test_one_that_is_not_whole_is_passed_over(file: str, damage: str, tmp_path: Path) -> None:
    """As S3 leaves them, where a copy was broken off."""
    found = write(tmp_path, (0, 0), (1, 0))
    victim = tmp_path / "epoch-00001-step-0000000" / file
    if damage == "gone":
        victim.unlink()
    elif damage == "cut":
        victim.write_bytes(victim.read_bytes()[:-9])
    else:
        np.savez(tmp_path / "other.npz", *VALUES[:2])
        shutil.copy(tmp_path / "other.npz", victim)
    newest = found.newest()
    assert newest is not None
    assert newest.epoch == 0


def test_that_of_another_job_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, (4, 2))
    with pytest.raises(CheckpointError, match="epoch-00004-step-0000002 is of a job with other"):
        Checkpoints(tmp_path, "another").newest()


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"can't be written: Not a directory\. Give the job"):
        write(tmp_path / "file/below", (0, 0))


WRITER = """
import sys
import numpy as np
from plumbline.training.checkpoints import Checkpoint, Checkpoints
found, step = Checkpoints(__import__("pathlib").Path(sys.argv[1]), "job"), 0
while True:
    step += 1
    values = [np.full(100_000, step, np.int64), np.full(9, step, np.int64)]
    found.write(Checkpoint(0, step, values, {"step": step}))
    print(step, flush=True)
"""


@pytest.mark.parametrize("number", range(6))
def test_killed_at_any_instant_it_goes_on_from_the_last_that_was_written(
    number: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITER, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(3):
            writer.stdout.readline()
        # Somewhere in the writing of one of the next.
        for _ in range(number * 20_000):
            pass
        os.kill(writer.pid, signal.SIGKILL)
        last = max([3, *map(int, writer.stdout.read().split())])
    newest = Checkpoints(tmp_path, "job").newest()
    assert newest is not None
    assert newest.step in (last, last + 1)
    assert all((value == newest.step).all() for value in newest.arrays)
    assert newest.state == {"step": newest.step}
