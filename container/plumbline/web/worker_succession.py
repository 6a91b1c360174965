"""Replacing a worker that should not go on, and telling a model that can't be served from a crash.

What arbiter and workers tell each other are empty files in a folder that they share:

    halts-PID       this worker ends the server: it could not boot, or has no model
    retiring-PID    this worker serves until there is another one in its place
    ready-PID       this worker's model can answer

An exit status would not do: a user's code may end a worker with any. So the statuses by which
gunicorn tells that a worker did not boot become ones that no process can have.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from gunicorn.errors import HaltServer

BOOT_FAILED = 3
"""The exit status of a server whose worker did not boot, or found no model to serve."""

BEYOND = 256
"""Added to a status, it is one that no process can have."""


class Notes:
    """The files. Without a folder there are none, and gunicorn's own statuses count."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def begin(self, shared: Path | None) -> None:
        """Keep them in a part of the folder that the processes of this server share."""
        if shared:
            self.folder = shared / "workers"
            self.folder.mkdir(exist_ok=True)

    def leave(self, kind: str, pid: int) -> None:
        """Leave a note."""
        if self.folder:
            with contextlib.suppress(OSError):
                (self.folder / f"{kind}-{pid}").touch()

    def take(self, kind: str, pid: int) -> bool:
        """Remove a note; whether it was there."""
        try:
            (self.folder or Path("/nowhere")).joinpath(f"{kind}-{pid}").unlink()
        except OSError:
            return False
        return True

    def pids(self, kind: str) -> set[int]:
        """The workers of which there is such a note."""
        found = self.folder.glob(f"{kind}-*") if self.folder else ()
        return {int(file.name.removeprefix(f"{kind}-")) for file in found}


NOTES = Notes()
"""Those of this server: gunicorn.conf.py says where they are, before workers are forked."""


def on_starting(server: Any) -> None:
    """In the arbiter: let no exit status halt the server."""
    if NOTES.folder:
        server.WORKER_BOOT_ERROR += BEYOND
        server.APP_LOAD_ERROR += BEYOND


def worker_exit(_server: Any, worker: Any) -> None:
    """In a worker that ends by itself: what could not boot would not the next time either.

    One that is killed while it boots, for want of memory perhaps, does not come here: there will be
    another one.
    """
    if not worker.booted:
        NOTES.leave("halts", worker.pid)


def child_exit(server: Any, worker: Any) -> None:
    """In the arbiter: a worker has ended."""
    NOTES.take("ready", worker.pid)
    if NOTES.take("retiring", worker.pid):
        server.num_workers -= 1  # its successor is there already
    if NOTES.take("halts", worker.pid) and server.LISTENERS:  # there are none at the end
        raise HaltServer("A worker can't serve.", BOOT_FAILED)


def is_awaited(pid: int) -> bool:
    """Whether another worker serves until this one can."""
    return bool(NOTES.pids("retiring") - {pid})


def end_server() -> None:
    """In a worker that has no model: end, and the server too, unless another one still serves."""
    if not is_awaited(os.getpid()):
        NOTES.leave("halts", os.getpid())
    os._exit(BOOT_FAILED)
