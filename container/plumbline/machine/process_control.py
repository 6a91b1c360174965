"""What Linux lets a process say of itself and ask of others; elsewhere it is silently left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1

PR_SET_NO_NEW_PRIVS = 38

FIRST_TO_END = 500
"""What is added to a model's process where the system looks for one to end for its memory."""


def end_with_parent() -> None:
    """Let the system kill this process when the one that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def gain_no_privileges() -> None:
    """Let neither this process nor any that it starts gain rights by what it executes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def end_at_sigterm() -> None:
    """End at SIGTERM until somebody has a better handler; also at one that was held back before."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    heed_sigterm()


def heed_sigterm() -> None:
    """Take SIGTERM, which container/serve has held back; there must be a handler."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def end_first() -> None:
    """Where memory runs out, let the system end this process and not the server."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_END))


def name_it(name: str) -> None:
    """Show the name where processes are listed by their first thread."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def memory_of(pid: int) -> int | None:
    """Bytes that only this process and those that it has started hold, which their end gives back.

    None where nobody says.
    """
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    found = re.findall(r"^(?:Private_Dirty|Private_Clean|Swap): +(\d+) kB", rollup, re.MULTILINE)
    return 1024 * sum(map(int, found)) + sum(memory_of(int(child)) or 0 for child in children)


def kill(pid: int) -> None:
    """Kill the process, and all of its group."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)
