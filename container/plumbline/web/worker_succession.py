"""Replacing a worker that should not go on, and telling a model that can't be served from a crash.

What arbiter and workers tell each other are empty files in a folder that they share:

    halts-PID       this worker ends the server: it could not boot, or has no model
    retiring-PID    this worker serves until there is another one in its place
    ready-PID       this worker's model can answer
    loading-PID     this worker loads its model, and has not yet come to an end with it
    hung-PID        this worker ends because threads of its handler hang
    leaked-PID      this worker ends because its memory has grown too far
    given-up        what the next worker says instead of loading once more
    ends.json       how many workers have ended though nobody had ended the server, by reason

An exit status would not do: a user's code may end a worker with any. So the statuses by which
gunicorn tells that a worker did not boot become ones that no process can have.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.errors import HaltServer

from plumbline.errors import EngineError

log = logging.getLogger("plumbline.web")

ENDS = "ends.json"

BOOT_FAILED = 3
"""The exit status of a server whose worker did not boot, or found no model to serve."""

HALTED = "A worker can't serve."
"""What gunicorn says of such a server's end."""

MOST_LOADS = 3
"""Workers one after another that may end while they load, before no more try."""

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
        try:  # a process that is out of descriptors can't look
            names = [file.name for file in self.folder.iterdir()] if self.folder else []
        except OSError:
            names = []
        start = f"{kind}-"
        return {int(name.removeprefix(start)) for name in names if name.startswith(start)}

    @property
    def given_up(self) -> str:
        """Why no worker need load the model once more; empty where one may."""
        try:
            return (self.folder or Path("/nowhere")).joinpath("given-up").read_text("utf-8")
        except OSError:
            return ""

    def give_up(self, reason: str) -> None:
        """Let the next worker say this."""
        if self.folder:
            with contextlib.suppress(OSError):
                (self.folder / "given-up").write_text(reason, "utf-8")

    def ends(self) -> Mapping[str, int]:
        """How many workers have ended, by reason."""
        try:
            return dict(json.loads((self.folder or Path("/nowhere")).joinpath(ENDS).read_text()))
        except (OSError, ValueError):
            return {}

    def count_end(self, reason: str) -> None:
        """Count one more; only the arbiter does."""
        if self.folder:
            ends = {**self.ends(), reason: self.ends().get(reason, 0) + 1}
            begun = self.folder / f"{ENDS}.new"
            with contextlib.suppress(OSError):
                begun.write_text(json.dumps(ends))
                begun.rename(self.folder / ENDS)


NOTES = Notes()
"""Those of this server: gunicorn_settings.py says where they are, before workers are forked."""


def on_starting(server: Any) -> None:
    """In the arbiter: let no exit status halt the server."""
    if NOTES.folder:
        server.WORKER_BOOT_ERROR += BEYOND
        server.APP_LOAD_ERROR += BEYOND
        server.reap_workers = partial(DEATHS.reap, server, server.reap_workers)


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
    reason = DEATHS.reason_of(worker.pid)
    if reason and server.LISTENERS:  # there are none at the end
        NOTES.count_end(reason)
    if NOTES.take("retiring", worker.pid):
        server.num_workers -= 1  # its successor is there already
    if NOTES.take("loading", worker.pid):
        DEATHS.while_loading(server, worker.pid)
    if NOTES.take("halts", worker.pid) and server.LISTENERS:
        raise HaltServer(HALTED, BOOT_FAILED)


class Deaths:
    """In the arbiter: how workers ended, and how many one after another while they loaded."""

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.loads = 0

    def reap(self, server: Any, reap_workers: Callable[[], None]) -> None:
        """As gunicorn does, which does not say how a worker ended: it is overheard."""
        wait = os.waitpid

        def overheard(pid: int, options: int) -> tuple[int, int]:
            found, status = wait(pid, options)
            if found in server.WORKERS:
                self.statuses[found] = os.waitstatus_to_exitcode(status)
            return found, status

        os.waitpid = overheard
        try:
            reap_workers()
        finally:
            os.waitpid = wait

    def reason_of(self, pid: int) -> str:
        """Why a worker has ended, as metrics tell it; empty where it was told to."""
        for kind in ("hung", "leaked"):
            if NOTES.take(kind, pid):
                return kind
        status = self.statuses.get(pid) or 0
        if status < 0:
            return "hung" if -status == signal.SIGABRT else "killed"  # gunicorn aborts who hangs
        return "crashed" if status else ""

    def while_loading(self, server: Any, pid: int) -> None:
        """Let it be tried again, or no more; where others serve, go on with those."""
        self.loads += 1
        if self.loads < MOST_LOADS:
            return
        reason = (
            f"{self.loads} processes one after another have ended while they loaded the model; "
            f"the last {ending(self.statuses.get(pid))}."
        )
        self.loads = 0
        if NOTES.pids("ready") and server.num_workers > 1:
            server.num_workers -= 1
            log.error("%s The server goes on with %d workers.", reason, server.num_workers)
        else:
            NOTES.give_up(reason)


DEATHS = Deaths()


def ending(status: int | None) -> str:
    """How a process ended, in words; a signal's number is below zero."""
    if status is None:
        return "left no exit status"
    if status >= 0:
        return f"ended itself, with exit status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
    said = f"was killed by {name} (exit status {128 - status})"
    if -status == signal.SIGKILL:
        said += (
            ", as the system does where memory runs out: give the container more, or fewer "
            "workers (PLUMBLINE_WORKERS)"
        )
    return said


@contextmanager
def loading() -> Iterator[None]:
    """In a worker: let the arbiter know if this process ends before the block does.

    Raises `EngineError` where that has happened too often.
    """
    if reason := NOTES.given_up:
        raise EngineError(reason)
    NOTES.leave("loading", os.getpid())
    try:
        yield
    finally:
        NOTES.take("loading", os.getpid())


def is_awaited(pid: int) -> bool:
    """Whether another worker serves until this one can."""
    return bool(NOTES.pids("retiring") - {pid})


def end_server() -> None:
    """In a worker that has no model: end, and the server too, unless another one still serves."""
    if not is_awaited(os.getpid()):
        NOTES.leave("halts", os.getpid())
    os._exit(BOOT_FAILED)
