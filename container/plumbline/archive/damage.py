"""What is said of a file that can't be read, whatever the library that reads it says."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from plumbline.errors import ArchiveError, PlumblineError

log = logging.getLogger("plumbline.archive")

OF_THE_SYSTEM = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EIO),
        *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.ESTALE),
    }
)
"""What says nothing of a file's bytes; libraries pass others on for damage."""


@contextmanager
def told(name: str, reader: str) -> Iterator[None]:
    """Raise `ArchiveError` for whatever `reader`, a library, makes of the file `name`.

    Damaged bytes make libraries raise nearly anything; what could not even be opened, for want of
    memory, room or descriptors, is not called damaged.
    """
    try:
        yield
    except PlumblineError:
        raise
    except MemoryError as exc:
        raise ArchiveError(f"{name} can't be read: it takes more memory than there is.") from exc
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno in OF_THE_SYSTEM:
            raise ArchiveError(f"{name} can't be read: {reason(exc)}.") from exc
        log.debug("%s can't read %s.", reader, name, exc_info=exc)
        raise ArchiveError(
            f"{name} is damaged or not whole: {reader} can't read it. Copy it again from where it "
            "was saved, and pack it again."
        ) from exc


def reason(error: OSError) -> str:
    """What the system says, without the file's path."""
    return os.strerror(error.errno or 0)
