"""The files of SageMaker's data capture → requests and answers; what can't be read is counted."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from plumbline.errors import ArchiveError

ENDING = ".jsonl"

LARGEST = 128 * 1024**2
"""Bytes of a line: a request and an answer of 25 MB each, in base64, and room."""

CUT, STRANGE, NO_INPUT, NO_OUTPUT = (
    "cut, or no JSON",
    "not captured requests",
    "without the request",
    "without the answer",
)
"""Why a line is left out."""


@dataclass(frozen=True)
class Captured:
    """One request and its answer, with their Content-Types; `what` and `when` it was, if known."""

    request: bytes
    request_type: str
    answer: bytes
    answer_type: str
    what: str = ""
    when: str = ""


@dataclass
class Capture:
    """The captured lines of a folder, and of those read so far what became of them."""

    folder: Path
    lines: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Captured]:
        """The requests, the newest file first. Raises `ArchiveError` where there is no file."""
        for file in files(self.folder):
            for line in pieces(file):
                self.lines += 1
                try:
                    yield read(line)
                except Unreadable as exc:
                    self.left_out[str(exc)] += 1


class Unreadable(Exception):
    """A line that is left out, and why."""


def files(folder: Path) -> list[Path]:
    """The files of captured lines: SageMaker names them by the time, ENDPOINT/VARIANT/2026/11/…"""
    found = [folder] if folder.is_file() else []
    for place, _, names in os.walk(folder):
        found += [Path(place, name) for name in names if name.endswith(ENDING)]
    if not found:
        raise ArchiveError(
            f"{folder} holds no captured requests: no file that ends in {ENDING}. `aws s3 sync "
            "s3://BUCKET/PREFIX/ENDPOINT FOLDER` fetches them from where data capture writes them."
        )
    return sorted(found, key=lambda file: (hour(file), file.name), reverse=True)


def hour(file: Path) -> tuple[str, ...]:
    """Year, month, day and hour of a file, as its folders say them."""
    return tuple(part for part in file.parts[:-1] if part.isdigit())[-4:]


def pieces(file: Path) -> Iterator[bytes]:
    """The lines of a file that are not blank; one that is too long comes as its beginning."""
    with file.open("rb") as stream:
        while line := stream.readline(LARGEST):
            if not line.endswith(b"\n"):
                while (rest := stream.readline(LARGEST)) and not rest.endswith(b"\n"):
                    pass
            if line.strip():
                yield line


def read(line: bytes) -> Captured:
    """The request and the answer of a line. Raises `Unreadable`."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise Unreadable(CUT) from exc
    if not isinstance(document, dict) or not isinstance(document.get("captureData"), dict):
        raise Unreadable(STRANGE)
    parts, about = document["captureData"], document.get("eventMetadata")
    about = about if isinstance(about, dict) else {}
    request, request_type = content(parts.get("endpointInput"), NO_INPUT)
    answer, answer_type = content(parts.get("endpointOutput"), NO_OUTPUT)
    what = str(about.get("inferenceId") or about.get("eventId") or "")
    when = str(about.get("inferenceTime") or "")
    return Captured(request, request_type, answer, answer_type, what, when)


def content(part: Any, lacking: str) -> tuple[bytes, str]:
    """The bytes of one side of a request, and their Content-Type. Raises `Unreadable`."""
    if not isinstance(part, Mapping) or not isinstance(part.get("data"), str):
        raise Unreadable(lacking)
    kind = part.get("observedContentType")
    try:
        if str(part.get("encoding")).upper() == "BASE64":
            data = base64.b64decode(part["data"], validate=True)
        else:
            data = part["data"].encode()
    except ValueError as exc:
        raise Unreadable(CUT) from exc
    return data, kind if isinstance(kind, str) else ""
