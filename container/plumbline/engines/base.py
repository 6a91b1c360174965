"""The port: all that the house asks of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from plumbline.arrays import Tensors
from plumbline.signature import Signature


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

    def run(self, inputs: Tensors, timeout: float) -> Tensors:
        """The outputs by name, the first axis being the batch.

        Raises `DeadlineExceeded` after `timeout` seconds, `InputRefused` when the model says that
        it can't compute such an input, and `EngineError` when it fails.
        """
