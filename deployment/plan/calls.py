"""Calls to AWS as data: what a plan is made of.

A plan's steps are carried out in their order. Each can be done twice without harm: a `Make` looks
first whether its thing is there, an `Upload` whether the object is, an `UploadFolder` which are, a
`Wait` only looks, and a `Remove` takes a thing that is gone for removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call: `Call("sagemaker", "DescribeEndpoint", {"EndpointName": "cats"})`.

    The service is named as boto3 names it, the operation as AWS's API and policies do.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """Stands in parameters for a value of an earlier step's answer, which no plan can know."""

    step: str
    key: str

    def __str__(self) -> str:
        """As --dry-run prints it."""
        return f"<{self.key} of {self.step}>"


@dataclass(frozen=True)
class Look:
    """How to see whether a thing is there: `found` is the JMESPath of what the call says of it."""

    call: Call
    found: str = "@"


@dataclass(frozen=True)
class Make:
    """Make a thing, unless `look` finds it.

    What is found must be as `expected` says. Where it is not, the call is made all the same if
    `again` (AWS then changes the thing), and refused otherwise.
    """

    what: str
    call: Call
    look: Look
    expected: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    again: bool = False
    doing: str = "Making"


@dataclass(frozen=True)
class Upload:
    """Put a file into S3, unless the object is there; its key says what is in it."""

    what: str
    file: Path
    call: Call
    look: Look


@dataclass(frozen=True)
class UploadFolder:
    """Put files into S3, each by its key, unless an object of its size is there.

    The folder's part of the keys says what is in it. `look` lists that part; `call` lacks the key.
    """

    what: str
    files: Mapping[str, Path]
    call: Call
    look: Look

    def one(self, key: str) -> Call:
        """The call that puts one of them."""
        return Call(self.call.service, self.call.operation, {**self.call.parameters, "Key": key})


@dataclass(frozen=True)
class Wait:
    """Look until `status` (a JMESPath) is one of `good`; one of `bad` ends the waiting."""

    what: str
    look: Look
    status: str
    good: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True)
class Remove:
    """Remove a thing; with `gone`, wait until it no longer finds a state of it."""

    what: str
    call: Call
    gone: Look | None = None


Step = Make | Upload | UploadFolder | Wait | Remove


@dataclass(frozen=True)
class Plan:
    """What will be asked of AWS, in order, and what it costs to leave it running, in words."""

    name: str
    region: str
    steps: tuple[Step, ...]
    cost: tuple[str, ...] = ()

    def calls(self) -> Iterator[Call]:
        """Every call that may be made, the looking included."""
        for step in self.steps:
            yield from calls_of(step)


def calls_of(step: Step) -> Iterator[Call]:
    """The calls of one step, in their order."""
    match step:
        case Make(call=call, look=look):
            yield from (look.call, call)
        case Upload(call=call, look=look):
            yield from (look.call, call)
        case UploadFolder(files=files, look=look):
            yield look.call
            yield from (step.one(key) for key in files)
        case Wait(look=look):
            yield look.call
        case Remove(call=call, gone=gone):
            yield from (call, gone.call) if gone else (call,)


def plain(value: Any) -> Any:
    """Parameters as JSON takes them, for people and for fingerprints."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
