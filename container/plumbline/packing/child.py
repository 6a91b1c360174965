"""A Python process of its own: what runs there can print, crash and exit without harm here."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from plumbline.settings import child_environment

LAST_LINES = 15

Message = Mapping[str, Any]


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


def run(module: str, request: Mapping[str, Any], heard: Callable[[Message], None]) -> Ending:
    """Run `python -m module` on a request; `heard` is called with each message that it sends.

    The request is a JSON file, named as its argument; messages are lines of JSON. What it prints
    goes nowhere but into the ending. It is killed, with all that it started, when we are
    interrupted.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-child-") as folder:
        file = Path(folder, "request.json")
        file.write_text(json.dumps(dict(request)), "utf-8")
        with Path(folder, "printed").open("w+b") as printed, started(module, file, printed) as pair:
            process, messages = pair
            for line in messages:
                if line.endswith("\n"):  # not the half of one that was being sent at the end
                    heard(json.loads(line))
            status = process.wait()
            printed.seek(0)
            return Ending(status, tail_of(printed.read()))


@contextlib.contextmanager
def started(
    module: str, request: Path, printed: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[str]]]:
    """The process, and what it says; it does not outlive the block."""
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", module, str(request), str(writing)]
    with os.fdopen(reading, encoding="utf-8") as messages:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                pass_fds=[writing],
                env=child_environment(request.parent),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        try:
            yield process, messages
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def tail_of(printed: bytes) -> str:
    """The last lines, indented to be shown in an error."""
    lines = [line for line in printed.decode("utf-8", "replace").splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-LAST_LINES:])


def received() -> tuple[dict[str, Any], IO[str]]:
    """In the process itself: the request, and the stream that messages are written to."""
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    descriptor = int(sys.argv[2])
    os.set_inheritable(descriptor, False)
    return request, os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)


def send(messages: IO[str], **content: str) -> None:
    """In the process itself: send a message."""
    messages.write(json.dumps(content) + "\n")
