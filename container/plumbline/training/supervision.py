"""A program of the job in a process group of its own: signals go in, its last words come out."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from plumbline.machine import process_control
from plumbline.training.failure import KILLED, want_of_memory
from plumbline.training.stopping import Stop

FORWARDED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Beside SIGTERM and Ctrl-C, of which the job itself must know."""

KEPT = 64 * 1024
"""Bytes of standard error that are looked through for the reason of a failure."""

LINGERING = 2.0
"""Seconds in which what a program has started may still write, once it has ended itself."""

TRACEBACK = "Traceback (most recent call last):"

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
"""What terminals obey and people don't read."""


@dataclass(frozen=True)
class Program:
    """What is run; `whole_group` lets SIGTERM reach what it has started, too."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    whole_group: bool = False
    """For shells, which don't hand signals on. Other programs end their own processes in order."""
    keeps_errors: bool = True
    """Whether standard error is read for the reason of a failure; a terminal's bars need it."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status as shells tell it, and its last words."""

    program: str
    status: int
    said: str = ""

    @property
    def sentence(self) -> str:
        """Why it failed."""
        if self.status == KILLED:
            return want_of_memory(self.program)
        if self.status > 128 and (name := signal_name(self.status - 128)):
            how = f"was ended by {name} (exit status {self.status})"
        else:
            how = f"failed with exit status {self.status}"
        return f"{self.program} {how}{f': {self.said}' if self.said else '; its log says why.'}"


def signal_name(number: int) -> str:
    """What a signal is called; empty for what is none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def run(program: Program, stop: Stop) -> Ended:
    """Run it until it ends; it is killed, with all that it started, when the stop's time is up."""
    process = subprocess.Popen(
        list(program.command),
        cwd=program.folder,
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE if program.keeps_errors else None,
        start_new_session=True,
    )
    tail = bytearray()
    relay = threading.Thread(target=copy_errors, args=(process, tail), daemon=True)
    timer: list[threading.Timer] = []

    def end() -> None:
        send(process, signal.SIGTERM, program.whole_group)
        timer.append(threading.Timer(stop.seconds_left, process_control.kill, (process.pid,)))
        timer[-1].daemon = True
        timer[-1].start()

    relay.start()
    try:
        with forwarding(process, program.whole_group), stop.telling(end):
            code = process.wait()
        relay.join(LINGERING)
    finally:
        for one in timer:
            one.cancel()
        process_control.kill(process.pid)
        process.wait()
    status = 128 - code if code < 0 else code
    return Ended(program.name, status, last_words(bytes(tail)))


def send(process: subprocess.Popen[bytes], number: int, whole_group: bool) -> None:
    """A signal for the program, or for all of its group, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        if whole_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


@contextlib.contextmanager
def forwarding(process: subprocess.Popen[bytes], whole_group: bool) -> Iterator[None]:
    """Hand on the signals that mean something to the program alone."""

    def forward(number: int, _frame: FrameType | None) -> None:
        send(process, number, whole_group)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def copy_errors(process: subprocess.Popen[bytes], tail: bytearray) -> None:
    """Write the program's standard error to ours, and keep the end of it."""
    if process.stderr is None:
        return
    with process.stderr as stream:
        while piece := os.read(stream.fileno(), KEPT):
            tail += piece
            del tail[:-KEPT]
            with contextlib.suppress(OSError):
                sys.stderr.buffer.write(piece)
                sys.stderr.buffer.flush()


def last_words(tail: bytes) -> str:
    """The exception that ended a Python program, or else the last line of any other."""
    text = CONTROL.sub("", tail.decode("utf-8", "replace").replace("\r", "\n"))
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    begun = max((at for at, line in enumerate(lines) if line.startswith(TRACEBACK)), default=None)
    if begun is not None:
        after = range(begun + 1, len(lines))
        error = next((at for at in after if not lines[at].startswith((" ", "\t"))), None)
        if error is not None:
            return " ".join(line.strip() for line in lines[error:])
    return lines[-1].strip()
