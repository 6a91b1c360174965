"""What is said of a file that can't be read, whatever the library that reads it says."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plumbline.errors import ArchiveError, PlumblineError

log = logging.getLogger("plumbline.archive")

LARGEST_JSON = 64 * 1024**2
"""Bytes."""

OF_THE_SYSTEM = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EIO),
        *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.ESTALE),
    }
)
"""What says nothing of a file's bytes; libraries pass others on for damage."""

MOST_VALUES = 2_000_000
"""Of a JSON file: so many take a few hundred megabytes of memory, and no model has them."""


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
            f"{name} is damaged or not whole: {reader} can't read it. Copy it anew from where it "
            "was saved, and pack it again."
        ) from exc


def reason(error: OSError) -> str:
    """What the system says, without the file's path."""
    return os.strerror(error.errno or 0)


def parse_json(text: str | bytes, name: str, wrong: str = "is not valid JSON") -> Any:
    """The document in a JSON file of an archive. Raises `ArchiveError`; `wrong` says of what."""
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    if len(data) > LARGEST_JSON or sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ArchiveError(
            f"{name} holds more than {MOST_VALUES:,} values or {LARGEST_JSON:,} bytes of JSON."
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ArchiveError(f"{name} {wrong}.") from exc
