"""What C++ libraries print when they are loaded, which nobody asked for, kept off the terminal."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from plumbline.errors import PlumblineError

GREETING = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} [\d.:]+ |"
    rb"[\d-]+ [\d:.]+: [IW] (tensorflow|external)/|To enable the following instructions: "
)
"""How lines begin that TensorFlow, absl and oneDNN write about themselves and the machine."""


@contextmanager
def muted(spared: Callable[[bytes], bool] = lambda _: False) -> Iterator[None]:
    """Keep from the terminal what is written to standard error meanwhile, but for lines `spared`.

    All of it is shown after all where an exception ends this that no sentence was written for.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with held() as printed:
        os.dup2(printed.fileno(), 2)
        shown = spared
        try:
            yield
        except PlumblineError:
            raise
        except BaseException:
            shown = bool
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            replay(printed, shown)


def held() -> IO[bytes]:
    """A file for what is printed; the null device, where none can be made."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("w+b")


def replay(printed: IO[bytes], shown: Callable[[bytes], bool]) -> None:
    """Write those of the lines that are to be shown to standard error."""
    printed.seek(0)
    os.write(2, b"".join(line for line in printed if shown(line)))


def is_ours(line: bytes) -> bool:
    """Whether a line is none by which a library greets on being loaded."""
    return not GREETING.match(line)
