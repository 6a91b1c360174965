"""/opt/ml/output/failure: why a job has failed, in a sentence that DescribeTrainingJob shows."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.machine import cgroups

MOST = 1024
"""Characters that SageMaker shows as FailureReason."""

FAILED = 1
"""The exit status of our own failures; a script's own is passed on."""

KILLED = 137
"""What a shell calls the end by SIGKILL."""

GIB = 1024**3


def report(file: Path, sentence: str) -> None:
    """Say it on standard error, and write it where SageMaker looks for it.

    What is written there already is a script's own reason, and stays.
    """
    line = shortened(sentence)
    print(f"Training failed: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the job's log
    with contextlib.suppress(OSError):  # a disk that is full or read-only; the log has it
        if is_told(file):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(line, "utf-8")


def attempted(file: Path, work: Callable[[], int]) -> int:
    """The exit status of some work; what it raises is reported as the reason of the failure."""
    try:
        return work()
    except Exception as exc:
        if not isinstance(exc, PlumblineError | MemoryError | OSError):
            traceback.print_exc()
        report(file, sentence_for(exc))
        return FAILED


def is_told(file: Path) -> bool:
    """Whether somebody has written a reason already."""
    with contextlib.suppress(OSError):
        return file.stat().st_size > 0
    return False


def shortened(sentence: str) -> str:
    """The sentence in one line, of as many characters as are shown."""
    line = " ".join(sentence.split())
    return line if len(line) <= MOST else f"{line[: MOST - 1]}…"


def sentence_for(error: BaseException) -> str:
    """What an exception means to whoever has started the job."""
    if isinstance(error, PlumblineError):
        return error.message
    if isinstance(error, MemoryError):
        return want_of_memory("The training")
    if isinstance(error, shutil.Error):
        return sentence_for(first_of(error))
    if isinstance(error, OSError) and error.errno in REMEDIES:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. {REMEDIES[error.errno]}"
    if isinstance(error, OSError):
        return f"{error}."
    said = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {said}' if said else ''} (the traceback is in the log)."


def first_of(error: shutil.Error) -> OSError:
    """The first of what could not be copied: a tree of files is told of file by file."""
    failed = error.args[0]
    _, target, why = failed[0] if isinstance(failed, list) else ("", "", str(failed))
    number = re.search(r"\[Errno (\d+)\]", str(why))
    if number is None:
        return OSError(f"{target}: {why}")
    return OSError(int(number[1]), os.strerror(int(number[1])), str(target))


ROOM = "The disk is full: give the job a larger VolumeSizeInGB, and write what is not kept to /tmp."

REMEDIES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: (
        "That can't be written: only /opt/ml and /tmp need be writable, and one of them is not."
    ),
    errno.EACCES: "SageMaker runs training containers as root; this one runs as another user.",
}


def want_of_memory(what: str) -> str:
    """What SIGKILL from nowhere means: the kernel ends what takes more memory than there is."""
    limit = cgroups.machine().memory / GIB
    return (
        f"{what} was killed (exit status {KILLED}), most likely because memory ran out: the "
        f"container has {limit:.1f} GiB. Take an instance type with more, or a smaller batch size."
    )
