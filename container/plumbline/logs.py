"""Log lines: JSON for machines, plain text for a terminal."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import IO, Any, TextIO

import orjson

Reword = Callable[[str], str]

FIELDS = "fields"
"""The record attribute that holds what a line says beside its message."""

NOTHING: Mapping[str, str] = MappingProxyType({})

OF_REQUEST: ContextVar[Mapping[str, str]] = ContextVar("plumbline", default=NOTHING)
"""What every line says that is written while a request is in work: the trace it belongs to."""


def to_line(
    seconds: float, level: str, message: str, fields: Mapping[str, Any], **more: str
) -> str:
    """One JSON object, with what belongs to the request in work; `seconds` are since 1970."""
    line = {
        "time": datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "message": message,
        **fields,
        **OF_REQUEST.get(),
        **more,
    }
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:  # half of a character, a number of more than 64 bits, keys that are no texts
        return json.dumps(line, ensure_ascii=False, default=str)


class JSONFormatter(logging.Formatter):
    """One JSON object a line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        error = record.exc_info and {"traceback": self.formatException(record.exc_info)}
        level, fields = record.levelname.lower(), getattr(record, FIELDS, {})
        return to_line(record.created, level, record.getMessage(), fields, **(error or {}))


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream; `tell` writes a line of JSON without making a record of it first."""

    def writes_all_of(self, logger: logging.Logger) -> bool:
        """Whether nobody else gets the logger's lines, and they are JSON as it is."""
        others = [one for one in heard_by(logger) if one is not self]
        return not others and not self.filters and isinstance(self.formatter, JSONFormatter)

    def tell(self, message: str, fields: Mapping[str, Any]) -> None:
        """Write a line at level "info"."""
        line = to_line(time.time(), "info", message, fields)
        # Where it can't be written, nobody reads it: no reason to fail.
        with suppress(OSError, ValueError), self.lock or nullcontext():
            self.stream.write(f"{line}\n")
            self.flush()


def heard_by(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    """The handlers that get a logger's lines."""
    while logger:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def tell(logger: logging.Logger, message: str, fields: Mapping[str, Any]) -> None:
    """Log a line at level "info" with these fields.

    Every request has one, and for a small model it was an eighth of its CPU time by `logger.info`.
    """
    ours = logging.root.handlers[0] if logging.root.handlers else None
    if isinstance(ours, LineHandler) and ours.writes_all_of(logger):
        ours.tell(message, fields)
    else:
        logger.info("%s", message, extra={FIELDS: fields})


class TextFormatter(logging.Formatter):
    """What a person at a terminal reads; `reword` says it in the words of that place."""

    def __init__(self, reword: Reword = str) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self.reword = reword

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, without a traceback."""
        return self.reword(super().formatMessage(record))


class Printed(io.TextIOBase):
    """What stands for standard output where a user's code may print: each line becomes one here."""

    def __init__(self, original: TextIO) -> None:
        self._original = original
        self._begun = threading.local()
        self._log = logging.getLogger("plumbline.printed")

    def write(self, text: str) -> int:
        """Log the lines that are whole; the rest waits for its end, in each thread by itself."""
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        for line in filter(None, lines):
            self._log.info("%s", line)
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """That of the standard output, for processes that are started."""
        return self._original.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the standard output."""
        return self._original.encoding

    @property
    def buffer(self) -> IO[bytes]:
        """That of the standard output, for bytes."""
        return self._original.buffer


def formatter(name: str, reword: Reword = str) -> logging.Formatter:
    """The formatter by name; "auto" is text on a terminal and JSON elsewhere."""
    if name == "auto":
        name = "text" if sys.stderr.isatty() else "json"
    return TextFormatter(reword) if name == "text" else JSONFormatter()


class ToldAlready(logging.Filter):
    """Keeps back what a thread says, errors aside, where another process has said the same."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is new."""
        return record.thread != self.thread or record.levelno >= logging.ERROR


@contextmanager
def told_already() -> Iterator[None]:
    """In this block only errors of this thread are logged."""
    known, handlers = ToldAlready(), logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(known)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(known)


class ModelName(logging.Filter):
    """Lets every line say which model it is about, in a process that serves that one alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the name to the line's fields."""
        record.__dict__[FIELDS] = {"model": self.name, **getattr(record, FIELDS, {})}
        return True


def name_model(name: str) -> None:
    """Let the lines of this process carry the model's name."""
    for handler in logging.getLogger().handlers:
        handler.filters = [ModelName(name)]


def configuration(level: str, form: str, reword: Reword = str) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes: everything to standard error, in one form."""
    made = {"()": "plumbline.logs.formatter", "name": form, "reword": reword}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plumbline": made},
        "handlers": {
            "stderr": {
                "class": "plumbline.logs.LineHandler",
                "formatter": "plumbline",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "plumbline": {"level": level.upper()},
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
        },
    }
