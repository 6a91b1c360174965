"""The toolkit's helpers that handlers call."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumbline.wire.responses import preferences

CONTENT_TYPE = re.compile("[Cc]ontent-?[Tt]ype")


def read_file(path: str, mode: str = "r") -> Any:
    """What is in a file."""
    with Path(path).open(mode) as file:
        return file.read()


def write_file(path: str, data: Any, mode: str = "w") -> None:
    """Write a file."""
    with Path(path).open(mode) as file:
        file.write(data)


def retrieve_content_type_header(request_property: Mapping[str, str]) -> str | None:
    """The Content-Type among a request's headers, however it is spelt."""
    found = (text for name, text in request_property.items() if CONTENT_TYPE.match(name))
    return next(found, None)


def parse_accept(accept: str) -> list[str]:
    """The types that a caller takes, the best liked first."""
    return list(preferences(accept))


def remove_crlf(illegal_string: str) -> str:
    """A text as one line."""
    return illegal_string.replace("\r", " ").replace("\n", " ")


def get_logger() -> logging.Logger:
    """The toolkit's logger, at the level of the server."""
    logger = logging.getLogger("sagemaker-inference")
    logger.setLevel(logging.getLogger("plumbline.handlers").getEffectiveLevel())
    return logger


def configure_logger() -> None:
    """The server's log is as it is."""
