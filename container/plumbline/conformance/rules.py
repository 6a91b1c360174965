"""A check: a sentence of the contract, how it is judged, and what comes of it."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_EVIDENCE = 400
"""Characters; what a container says is foreign text, and may be long."""


class Level(StrEnum):
    """How much hangs on it: the deployment, a good deal, or nothing but knowing it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    INFO = "INFO"


MUST, SHOULD, INFO = Level


class Where(StrEnum):
    """Which container a check looks at."""

    IMAGE = "none: the image itself"
    FIRST = "the first container"
    LAST = "the first container, as it is ended"
    RESTRICTED = "containers with less allowed"
    BROKEN = "one with a broken model"
    LOADING = "one that is ended early"
    BATCH = "one with the variables of a batch transform"
    MULTI_MODEL = "one for many models"
    TRAINING = "training jobs"


@dataclass(frozen=True)
class Finding:
    """What a check has found; `passed` is None where it could not be judged."""

    passed: bool | None
    evidence: str
    level: Level | None = None
    """Where it is another than the check's own."""


def passed(evidence: str) -> Finding:
    """The rule is kept."""
    return Finding(True, evidence)


def failed(evidence: str, level: Level | None = None) -> Finding:
    """The rule is broken."""
    return Finding(False, evidence, level)


def found(well: bool, evidence: str, level: Level | None = None) -> Finding:
    """The rule is kept, or broken; the evidence is the same."""
    return Finding(well, evidence, None if well else level)


def not_judged(reason: str) -> Finding:
    """Nothing can be said."""
    return Finding(None, reason)


@dataclass(frozen=True)
class Check:
    """One rule; `judge` takes the scene of its place (scenes.py)."""

    name: str
    """Its group's letter and its number: C17."""
    level: Level
    where: Where
    contract: str
    remedy: str
    judge: Callable[[Any], Finding]


@dataclass
class Group:
    """Checks that belong together, under a letter."""

    letter: str
    title: str
    checks: list[Check] = field(default_factory=list)

    def check(
        self, number: int, level: Level, where: Where, contract: str, remedy: str
    ) -> Callable[[Callable[[Any], Finding]], Callable[[Any], Finding]]:
        """Make a function that looks at a scene into a check of this group."""

        def add(judge: Callable[[Any], Finding]) -> Callable[[Any], Finding]:
            name = f"{self.letter}{number}"
            self.checks.append(Check(name, level, where, contract, remedy, judge))
            return judge

        return add


@dataclass(frozen=True)
class Result:
    """A check, what it found, and how long that took."""

    check: Check
    finding: Finding
    seconds: float = 0.0

    @property
    def level(self) -> Level:
        """The level at which it counts."""
        return self.finding.level or self.check.level

    @property
    def broken(self) -> bool:
        """Whether the rule is broken and must not be."""
        return self.finding.passed is False and self.level == MUST

    @property
    def evidence(self) -> str:
        """In one line, as a terminal may show it."""
        return printable(self.finding.evidence)


def printable(text: str, most: int = MOST_EVIDENCE) -> str:
    """Foreign text in one line: what doesn't print is escaped, and what is long cut."""
    line = " ".join(text.split())
    line = line if len(line) <= most else f"{line[: most - 2]} …"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "replace").decode()
        for each in line
    )


def no_answer(error: OSError | http.client.HTTPException) -> str:
    """Why there was none, in words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the connection was reset before an answer"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    said = str(error) or type(error).__name__
    return (
        f"the answer is no HTTP: {said}" if isinstance(error, http.client.HTTPException) else said
    )
