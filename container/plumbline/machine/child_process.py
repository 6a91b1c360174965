"""A Python process of its own: what runs there can print, crash and exit without harm here."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from plumbline.machine.quiet import is_ours

LAST_LINES = 15

Message = Mapping[str, Any]

Environment = Callable[[Path], Mapping[str, str]]
"""A process's folder for temporary files → its environment."""


FORKED: set[str] = set()
"""Modules whose processes are copies of this one, because it has imported what they need."""


@dataclass(frozen=True)
class Ending:
    """How the process ended: its exit status, and the last lines that it printed."""

    status: int
    tail: str

    @property
    def words(self) -> str:
        """The status in words."""
        if self.status < 0:
            return f"was killed by {signal.Signals(-self.status).name}"
        return f"ended with exit status {self.status}"


def run(
    module: str,
    request: Mapping[str, Any],
    heard: Callable[[Message], None],
    environment: Environment | None = None,
    seconds: float | None = None,
    within: Path | None = None,
) -> Ending:
    """Run `python -m module` on a request; `heard` is called with each message that it sends.

    The request is a JSON file, named as its argument; messages are lines of JSON. What it prints
    goes nowhere but into the ending. Its environment is ours, unless another is given; `within` is
    where its files lie meanwhile. It is killed, with all that it started, after so many seconds,
    and when we are interrupted or killed.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-child-", dir=within) as folder:
        file = Path(folder, "request.json")
        file.write_text(json.dumps(dict(request)), "utf-8")
        chosen = environment(Path(folder)) if environment else None
        with (
            Path(folder, "printed").open("w+b") as printed,
            started(module, file, printed, chosen) as (process, messages),
            killed_after(seconds, process),
        ):
            for line in messages:
                if line.endswith("\n"):  # not the half of one that was being sent at the end
                    heard(json.loads(line))
            status = process.wait()
            printed.seek(0)
            return Ending(status, tail_of(printed.read()))


@contextlib.contextmanager
def started(
    module: str, request: Path, printed: IO[bytes], environment: Mapping[str, str] | None
) -> Iterator[tuple[subprocess.Popen[bytes] | Copy, IO[str]]]:
    """The process, and what it says; it does not outlive the block, nor us.

    It holds one end of a pipe that says nothing, and ends when we, at the other end, do.
    """
    (reading, writing), (living, life) = os.pipe(), os.pipe()
    arguments = [module, str(request), str(writing), str(living)]
    process: subprocess.Popen[bytes] | Copy
    with os.fdopen(reading, encoding="utf-8") as messages, os.fdopen(life, "w"):
        try:
            if module in FORKED and threading.active_count() == 1:
                process = Copy(arguments, printed)
            else:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=printed,
                    pass_fds=[writing, living],
                    env=environment,
                    start_new_session=True,
                )
        finally:
            os.close(writing)
            os.close(living)
        try:
            yield process, messages
        finally:
            kill(process)
            process.wait()


@contextlib.contextmanager
def killed_after(seconds: float | None, process: subprocess.Popen[bytes] | Copy) -> Iterator[None]:
    """Kill the process if the block lasts longer than this."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, kill, (process,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def kill(process: subprocess.Popen[bytes] | Copy) -> None:
    """Kill a process, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Copy:
    """A process that was forked from this one, and calls a module's `main`; waited for as `Popen`.

    `arguments` are the module's name and what its process is told; it prints into `printed`.
    """

    def __init__(self, arguments: Sequence[str], printed: IO[bytes]) -> None:
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                become(arguments, printed.fileno())
            finally:
                os._exit(1)

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status


def become(arguments: Sequence[str], printed: int) -> None:
    """In the copy: be that process, with none of the files that were open but its own."""
    os.setsid()
    for stream in (1, 2):
        os.dup2(printed, stream)
    kept = sorted(map(int, arguments[2:]))
    for before, after in zip([2, *kept], [*kept, os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(before + 1, after)
    sys.argv = [*arguments]
    try:
        import_module(arguments[0]).main()
    except Exception:
        traceback.print_exc()


def tail_of(printed: bytes) -> str:
    """The last lines, indented to be shown in an error; none by which libraries greet."""
    lines = [line for line in printed.splitlines() if line.strip() and is_ours(line)]
    shown = (line.decode("utf-8", "replace") for line in lines[-LAST_LINES:])
    return "\n".join(f"  {line}" for line in shown)


def received() -> tuple[dict[str, Any], IO[str]]:
    """In the process itself: the request, and the stream that messages are written to."""
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    writing, living = map(int, sys.argv[2:])
    for descriptor in (writing, living):
        os.set_inheritable(descriptor, False)
    threading.Thread(target=end_with, args=(living,), daemon=True).start()
    return request, os.fdopen(writing, "w", encoding="utf-8", buffering=1)


def send(messages: IO[str], **content: Any) -> None:
    """In the process itself: send a message."""
    messages.write(json.dumps(content) + "\n")


def end_with(living: int) -> None:
    """In the process itself: end, with all that it started, when the pipe's other end is closed."""
    os.read(living, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)
