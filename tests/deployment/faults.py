"""AWS as it is on a bad day: calls that are refused, whose answers get lost, or that kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.handlers
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.validate import ParamValidator


class Died(BaseException):
    """Stands for a process that is gone: nothing catches it."""


@dataclass(frozen=True)
class Seen:
    """A call that was made, by its service, its operation and its parameters."""

    service: str
    operation: str
    parameters: Mapping[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return not self.operation.startswith(("Describe", "List", "Get", "Head"))


Fault = Callable[[], Any]

Answers = Callable[[Mapping[str, Any]], Any]
"""Parameters → what AWS would answer, or what a fault gives, or None where moto is to answer."""


@dataclass
class Weather:
    """What happens to calls, by their number from 0 or by their operation; what was called."""

    before: dict[int | str, Fault] = field(default_factory=dict)
    after: dict[int | str, Fault] = field(default_factory=dict)
    stubs: dict[str, Answers] = field(default_factory=dict)
    """What answers in place of moto, by operation."""
    calls: list[Seen] = field(default_factory=list)

    def note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """Remember a call."""
        service = model.service_model.service_name
        self.calls.append(Seen(service, model.name, dict(params)))

    def start(self, model: Any, **_: Any) -> Any:
        """What happens in place of a call, if anything."""
        fault = self.fault(self.before, model)
        if fault and (said := fault()) is not None:
            return said
        if model.name in self.stubs:
            said = self.stubs[model.name](self.calls[-1].parameters)
            return answered(model, said) if isinstance(said, Mapping) else said
        return None

    def end(self, model: Any, **_: Any) -> None:
        """What happens once AWS has done what it was asked for."""
        if fault := self.fault(self.after, model):
            fault()

    def fault(self, faults: Mapping[int | str, Fault], model: Any) -> Fault | None:
        """The fault of the current call."""
        return faults.get(len(self.calls) - 1) or faults.get(model.name)

    @contextmanager
    def prevailing(self) -> Iterator[Weather]:
        """In this block, for every client that was made since this module was imported."""
        PREVAILING.append(self)
        try:
            yield self
        finally:
            PREVAILING.remove(self)


PREVAILING: list[Weather] = []


def reported(method: Callable[..., Any]) -> Callable[..., Any]:
    """A handler for botocore's events that asks the weather, where there is some."""
    return lambda **event: method(PREVAILING[-1], **event) if PREVAILING else None


botocore.handlers.BUILTIN_HANDLERS[:0] = [
    ("before-parameter-build", reported(Weather.note)),
    ("before-call", reported(Weather.start)),
    ("after-call", reported(Weather.end)),
]


def refused(code: str, message: str, status: int = 400, **more: Any) -> Fault:
    """AWS says no."""
    said = {"Error": {"Code": code, "Message": message}, **more}
    said["ResponseMetadata"] = {"HTTPStatusCode": status}
    return lambda: (AWSResponse("", status, {}, None), said)


def lost() -> None:
    """The answer never arrives."""
    raise ConnectionClosedError(endpoint_url="https://aws")


def died() -> None:
    """The process is killed."""
    raise Died


REFUSED = refused("ValidationException", "Something is not as it should be.")


def worth_breaking(calls: Sequence[Seen], fault: Fault) -> list[tuple[int, Seen]]:
    """The calls of a run that are to go wrong, each in its turn, with their numbers.

    Of those that only look, refusals are enough, and the first and the last time that each is
    asked: what waits asks the same again and again.
    """
    operations = [call.operation for call in calls]
    ends = {
        number
        for name in {*operations}
        for number in (operations.index(name), len(operations) - 1 - operations[::-1].index(name))
    }
    return [
        (number, call)
        for number, call in enumerate(calls)
        if call.changes or (fault is REFUSED and number in ends)
    ]


FAULTS: dict[str, tuple[Fault, str]] = {
    "refused": (REFUSED, "before"),
    "answer lost": (lost, "after"),
    "killed after": (died, "after"),
}
"""What goes wrong with a call, and whether before or after AWS has done what it was asked for.

Killed before a call leaves what killed after the last change before it does: all is kept at AWS.
"""

each_fault = pytest.mark.parametrize(("fault", "when"), FAULTS.values(), ids=FAULTS)


def answered(model: Any, answer: Mapping[str, Any]) -> tuple[AWSResponse, dict[str, Any]]:
    """An answer that the service's own description allows; no other can be given."""
    if model.output_shape:
        report = ParamValidator().validate(dict(answer), model.output_shape)
        assert not report.has_errors(), report.generate_report()
    said = {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}
    return AWSResponse("", 200, {}, None), said
