"""history.csv: a row of metrics for each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline.training.reports.whole_files import write_whole

EPOCH = "epoch"


def write(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the metrics of all epochs, the first being epoch 0. Raises `OSError`."""
    write_whole(path, text(history).encode("utf-8"))


def text(history: Sequence[Mapping[str, float]]) -> str:
    """The file: its header names the metrics of all epochs; a cell is empty where one lacks."""
    names = list(dict.fromkeys(name for row in history for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([EPOCH, *names])
    for epoch, row in enumerate(history):
        writer.writerow([epoch, *(row.get(name, "") for name in names)])
    return stream.getvalue()
