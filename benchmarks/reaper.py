"""Run a command so that nothing of it is left, whatever it starts and however this ends.

    python benchmarks/reaper.py COMMAND …

prints the monotonic time at which the command began; what the command prints goes to standard
error.
Linux hands this process the orphans of its descendants, those that made themselves daemons too;
they all end with it. It is told to end when its own parent dies. Ended by SIGTERM, it gives them a
few seconds to end by themselves.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Any

from processes import descendants

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

PATIENCE = 5.0
"""Seconds between asking and killing."""


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ended(Exception):
    """Somebody asked this process to end."""


def end(*_: Any) -> None:
    """The handler of signals."""
    raise Ended


def handle(handler: Any) -> None:
    """Set what is done at any of the signals that ask to end."""
    for number in SIGNALS:
        signal.signal(number, handler)


def adopt() -> None:
    """Become the parent of orphans, and end with one's own parent."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    handle(end)


def send(number: int) -> bool:
    """Signal all descendants; whether there were any."""
    found = descendants(os.getpid())
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return bool(found)


def bury() -> None:
    """Take the exit status of whoever has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def clear() -> None:
    """Ask, wait, kill."""
    send(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while descendants(os.getpid()):
        bury()
        if time.monotonic() > deadline:
            send(signal.SIGKILL)
        time.sleep(0.05)


def main(command: list[str]) -> int:
    """The status of the command; 143 where this was ended before."""
    adopt()
    try:
        print(time.monotonic(), flush=True)
        return subprocess.Popen(command, stdout=sys.stderr).wait()
    except Ended:
        return 128 + signal.SIGTERM
    finally:
        handle(signal.SIG_IGN)
        clear()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
