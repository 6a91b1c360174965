"""What C++ libraries print when they are loaded, which nobody asked for, kept off the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from plumbline.errors import PlumblineError


@contextmanager
def muted() -> Iterator[None]:
    """Keep from the terminal what is written to standard error meanwhile.

    It is shown after all where an exception ends this that no sentence was written for.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with held() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        except PlumblineError:
            raise
        except BaseException:
            replay(printed, kept)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def held() -> IO[bytes]:
    """A file for what is printed; the null device, where none can be made."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("w+b")


def replay(printed: IO[bytes], descriptor: int) -> None:
    """Write what was printed there."""
    sys.stderr.flush()
    printed.seek(0)
    os.write(descriptor, printed.read())
