"""history.csv: what other programs read of it."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from plumbline.training.reports import history_file


def table(path: Path) -> list[dict[str, str]]:
    """The file as Python's own reader reads it."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_epoch_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "output/data/history.csv"
    rows = [{"loss": 1 / 3, "val, loss": 2.0}]
    history_file.write(path, rows)
    assert table(path) == [{"epoch": "0", "loss": "0.3333333333333333", "val, loss": "2.0"}]
    history_file.write(path, [*rows, {"loss": math.nan, "accuracy": 1.0}])
    assert [row["accuracy"] for row in table(path)] == ["", "1.0"]
    assert [file.name for file in path.parent.iterdir()] == ["history.csv"]


def test_a_file_that_cannot_be_written_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.csv"
    history_file.write(path, [{"loss": 1}])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        history_file.write(path, [{"loss": 1}, {"loss": 2}])
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [before]
