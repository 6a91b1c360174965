"""Channels in Pipe mode: a FIFO an epoch, which SageMaker makes when it is ready to fill it."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from plumbline.training.errors import TrainingError
from plumbline.training.job import Channel

WAIT = 600.0
"""Seconds that SageMaker may take to begin with an epoch, and between two pieces of it."""

POLL = 0.05

PIECE = 1 << 16

LINUX = sys.platform == "linux"


def fifo(channel: Channel, epoch: int) -> Path:
    """The FIFO of an epoch, from 0."""
    return channel.path.with_name(f"{channel.name}_{epoch}")


@contextmanager
def open_epoch(channel: Channel, epoch: int, seconds: float = WAIT) -> Iterator[BinaryIO]:
    """The bytes of an epoch, to be read once from the start. Raises `TrainingError`.

    Each epoch's FIFO is opened once, one after the other; leaving before its end is allowed.
    """
    path = fifo(channel, epoch)
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TrainingError(
                f"The channel {channel.name} is in Pipe mode, and SageMaker has not made "
                f"{path} within {seconds:g} s. Is there data behind its S3Uri? Was an earlier "
                "epoch left unread?"
            )
        time.sleep(POLL)
    if not stat.S_ISFIFO(path.stat().st_mode):
        raise TrainingError(
            f"The channel {channel.name} is in Pipe mode, but {path} is no FIFO; set its "
            "TrainingInputMode to File for data that lies on the disk."
        )
    # Without O_NONBLOCK the opening would wait for a writer, whoever long.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with io.BufferedReader(FifoBytes(descriptor, path, seconds), PIECE) as stream:
        yield stream


class FifoBytes(io.RawIOBase):
    """What comes out of a FIFO; it waits for a writer, and for each piece, so many seconds."""

    def __init__(self, descriptor: int, path: Path, seconds: float) -> None:
        self._descriptor = descriptor
        self._path = path
        self._seconds = seconds
        self._begun = False

    def readable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The FIFO's descriptor."""
        return self._descriptor

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next piece; nothing once the writer has closed its end."""
        deadline = time.monotonic() + self._seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TrainingError(
                    f"{self._path}: nothing has been written to it for {self._seconds:g} s"
                    f"{'' if self._begun else ', not even once'}. SageMaker fills it from S3: is "
                    "the channel's S3Uri right, and may the role read it?"
                )
            ready, _, _ = select.select([self._descriptor], [], [], min(left, 1.0))
            try:
                piece = os.read(self._descriptor, len(buffer))
            except BlockingIOError:
                self._begun = True  # a writer has it open
                continue
            if piece:
                self._begun = True
                buffer[: len(piece)] = piece
                return len(piece)
            # Linux calls a FIFO ready at its end, and not before somebody has opened the other one.
            if self._begun or (ready and LINUX):
                return 0
            time.sleep(POLL)

    def close(self) -> None:
        """Close it, whether all was read or not."""
        if not self.closed:
            try:
                os.close(self._descriptor)
            except OSError as exc:
                if exc.errno != errno.EBADF:
                    raise
        super().close()
