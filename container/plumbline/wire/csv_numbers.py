"""Lines of CSV → numbers, in pieces: while NumPy reads, nothing else of the process runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plumbline.vision.arrays import Tensor

PIECE = 256 * 1024
"""Letters that are read at a time."""


def in_pieces(lines: list[str]) -> Iterator[Tensor]:
    """The numbers of lines of CSV, `[lines, values]` float64: as many lines as are not large.

    Raises `ValueError`.
    """
    waiting: list[str] = []
    size = 0
    for line in lines:
        size += len(line)
        if waiting and size > PIECE:
            yield np.loadtxt(waiting, delimiter=",", comments=None, ndmin=2)
            waiting, size = [], len(line)
        if size > PIECE:
            yield numbers(line)[np.newaxis]
            size = 0
        else:
            waiting.append(line)
    if waiting:
        yield np.loadtxt(waiting, delimiter=",", comments=None, ndmin=2)


def numbers(line: str) -> Tensor:
    """The numbers of a line of CSV, float64. Raises `ValueError`."""
    found, place = [], 0
    while place >= 0:
        end = line.find(",", place + PIECE)
        piece = line[place:end] if end >= 0 else line[place:]
        if not piece.strip():
            raise ValueError("there is no number behind the last comma")
        found.append(np.loadtxt([piece], delimiter=",", comments=None, ndmin=1))
        place = end + 1 if end >= 0 else -1
    return np.concatenate(found)
