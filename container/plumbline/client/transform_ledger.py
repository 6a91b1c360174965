"""What a transform has done so far: predictions.jsonl, and transform.json, which says of what.

Lines are only ever added, each whole with its end, so that a process may be killed at any moment:
what it was writing is cut off when the next one begins.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from plumbline.client.files import write_whole
from plumbline.errors import CommandError

RESULTS = "predictions.jsonl"

TERMS = "transform.json"


class CannotResume(CommandError):
    """The results that are there already are of something else."""

    code = "cannot_resume"


@dataclass
class Ledger:
    """The open file of results; `done` are the names that it held when it was opened."""

    file: BinaryIO
    done: set[str] = field(default_factory=set)
    lines: int = 0
    failed: int = 0

    def add(self, name: str, said: Mapping[str, Any]) -> None:
        """Write the line of one file; it is safe from this process's end when this returns."""
        line = orjson.dumps({"file": name, **said}) + b"\n"
        try:
            # Past the buffer: what stayed in it would be tried again, and fail, when it is closed.
            while line:
                line = line[os.write(self.file.fileno(), line) :]
        except OSError as exc:
            raise CommandError(f"{RESULTS} can't be written: {exc.strerror}.") from exc
        self.count(said)

    def count(self, said: Mapping[str, Any]) -> None:
        """Take note of a line."""
        self.lines += 1
        self.failed += "error" in said

    def read(self) -> None:
        """Take note of every line; a last one without its end is cut off."""
        end = 0
        self.file.seek(0)
        for line in self.file:
            if not line.endswith(b"\n"):
                break
            self.done.add(self.name_in(line))
            end += len(line)
        self.file.truncate(end)

    def name_in(self, line: bytes) -> str:
        """The file that a line is about. Raises `CannotResume` if it is about none."""
        try:
            said = orjson.loads(line)
            name = said["file"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
            raise CannotResume(
                f"Line {self.lines + 1} of {RESULTS} there is not of a transform; take the file "
                "away, or choose another --out."
            ) from exc
        self.count(said)
        return str(name)


@contextmanager
def opened(folder: Path, terms: Mapping[str, Any]) -> Iterator[Ledger]:
    """The ledger of results under these terms, begun or resumed, held against other processes.

    Raises `CannotResume` where what is there is of other terms, or being written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / RESULTS).open("a+b")
    except OSError as exc:
        raise CommandError(f"{folder} can't be written to: {exc.strerror}.") from exc
    with file:
        hold(file, folder)
        agree(folder, terms, begun=file.tell() > 0)
        ledger = Ledger(file)
        ledger.read()
        yield ledger


def hold(file: BinaryIO, folder: Path) -> None:
    """Keep others from writing, until the file is closed or this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        raise CannotResume(
            f"Another transform is writing to {folder}; wait for it, or choose another --out."
        ) from exc


def agree(folder: Path, terms: Mapping[str, Any], *, begun: bool) -> None:
    """Write the terms down, or compare them with those that are there."""
    file = folder / TERMS
    if not file.is_file() and not begun:
        text = json.dumps(terms, indent=2, ensure_ascii=False)
        write_whole(file, f"{text}\n".encode(errors="backslashreplace"))
        return
    there = read_terms(file)
    differing = [
        f"{name}: {shown(there.get(name))} then, {shown(terms.get(name))} now"
        for name in dict.fromkeys([*there, *terms])
        if there.get(name) != terms.get(name)
    ]
    if differing:
        raise CannotResume(
            f"{folder} holds the results of something else ({'; '.join(differing)}). Ask as then "
            "to go on there, or choose another --out."
        )


def read_terms(file: Path) -> dict[str, Any]:
    """The terms of the results that are there. Raises `CannotResume`."""
    try:
        terms = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise CannotResume(
            f"{file.parent} holds a {RESULTS}, but no {TERMS} that says of what; choose another "
            "--out."
        ) from exc
    if not isinstance(terms, dict):
        raise CannotResume(f"{file} is not of a transform; choose another --out.")
    return terms


def shown(value: Any) -> str:
    """A term's value in a sentence."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value or "none")
