"""Log lines: JSON for machines, plain text for a terminal."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import IO, Any, TextIO

Reword = Callable[[str], str]

FIELDS = "fields"
"""The record attribute that holds what a line says beside its message."""

NOTHING: Mapping[str, str] = MappingProxyType({})

OF_REQUEST: ContextVar[Mapping[str, str]] = ContextVar("plumbline", default=NOTHING)
"""What every line says that is written while a request is in work: the trace it belongs to."""

ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class JSONFormatter(logging.Formatter):
    """One JSON object a line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
            **OF_REQUEST.get(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return ENCODER.encode(line)


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
                "class": "logging.StreamHandler",
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
