"""What a user's code raises → an error of our own tree."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from pathlib import Path

from plumbline.archive.handler_errors import HandlerFailed, HandlerRefused
from plumbline.errors import PlumblineError

STATUSES = ("status_code", "status", "code")
"""Where the toolkit's errors, falcon's and werkzeug's say their status."""

WORDS = ("description", "message", "detail", "phrase", "title")
"""Where they say the rest, the best first."""


def told(exc: BaseException, name: str, folder: Path) -> PlumblineError:
    """The error of a request in which the function `name` of the code in `folder` raised.

    A status of 400 to 599 that the exception carries is the answer's. The words of an exception
    that the user's own code raised are the answer's too; a library's stay in the log.
    """
    if isinstance(exc, PlumblineError):
        return exc
    status = status_of(exc)
    if status is None:
        return HandlerFailed(own_words(exc, folder) or hidden(exc, name))
    text = words_of(exc) or phrase_of(status)
    return HandlerRefused(text, status) if status < 500 else HandlerFailed(text, status)


def status_of(exc: BaseException) -> int | None:
    """The status that an exception carries, as frameworks' do; `OSError`s carry others'."""
    if isinstance(exc, OSError | SystemExit):
        return None
    for name in STATUSES:
        value = getattr(exc, name, None)
        if isinstance(value, str):
            value = value.partition(" ")[0]  # falcon's: "404 Not Found"
        if isinstance(value, int | str) and not isinstance(value, bool):
            text = str(int(value)) if isinstance(value, int) else value
            if text in ALLOWED:
                return int(text)
    return None


ALLOWED = frozenset(map(str, range(400, 600)))


def phrase_of(status: int) -> str:
    """What a status is called; some that are in use have no name."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def words_of(exc: BaseException) -> str:
    """What the exception says to whoever sent the request."""
    for name in WORDS:
        value = getattr(exc, name, None)
        if isinstance(value, str) and value.strip():
            return value
    return str(exc)


BARE = (LookupError, TypeError, AttributeError, NameError, ArithmeticError)
"""Exceptions whose text means little without their name."""


def own_words(exc: BaseException, folder: Path) -> str:
    """The text of an exception that was raised in the user's own code; empty for others."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = bool(frames) and is_inside(frames[-1].filename, folder)
    if not own or not isinstance(exc, Exception) or isinstance(exc, OSError):
        return ""
    return f"{type(exc).__name__}: {exc}" if isinstance(exc, BARE) else str(exc)


def hidden(exc: BaseException, name: str) -> str:
    """The sentence that gives nothing away."""
    if isinstance(exc, SystemExit):
        return f"{name} called sys.exit on this request; a handler must return or raise."
    return f"{name} failed on this request; the server's log says why, under the request's id."


def place(exc: BaseException, folder: Path) -> str:
    """Where in the user's code it happened: `inference.py, line 12`."""
    frames = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if is_inside(frame.filename, folder)]
    if not own:
        return "an unknown place"
    file = Path(own[-1].filename).resolve().relative_to(folder.resolve())
    return f"{file.as_posix()}, line {own[-1].lineno}"


def is_inside(filename: str, folder: Path) -> bool:
    """Whether a file is of the user's own code, not of what lies vendored in its lib/."""
    path, top = Path(filename).resolve(), folder.resolve()
    return path.is_relative_to(top) and not path.is_relative_to(top / "lib")
