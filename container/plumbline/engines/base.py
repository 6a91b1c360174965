"""The port: all that the house asks of an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from plumbline.engines.time_left import TimeLeft
from plumbline.errors import DeadlineExceeded
from plumbline.signature import Signature
from plumbline.vision.arrays import Tensors

PATIENCE = 0.05
"""Seconds after which an engine that can stop looks whether anybody still waits for it."""


class Engine(Protocol):
    """A model that is loaded and can be run from several threads at once."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""

    @property
    def others(self) -> Mapping[str, Engine]:
        """The model's other signatures by name, where it has any."""

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """The outputs by name, the first axis being the batch.

        Raises what `left` raises, as soon as the engine can stop, `InputRefused` when the model
        says that it can't compute such an input, and `EngineError` when it fails.
        """


def is_quick(engine: Engine) -> bool:
    """Whether a run takes a few milliseconds, waits for nobody, and would not gain by another's.

    An engine says so by an attribute of this name; most don't.
    """
    return bool(getattr(engine, "is_quick", False))


@contextmanager
def as_the_models() -> Iterator[None]:
    """Say that it was the model which took too long."""
    try:
        yield
    except DeadlineExceeded as exc:
        raise DeadlineExceeded("The model did not answer in time.") from exc
