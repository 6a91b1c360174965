"""An engine that is loaded when it is first asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from plumbline.engines.base import Engine
from plumbline.engines.time_left import TimeLeft
from plumbline.signature import Signature
from plumbline.vision.arrays import Tensors


class DeferredEngine:
    """Stands for what most servers never need: it costs nothing until then."""

    def __init__(self, name: str, signature: Signature, load: Callable[[], Engine]) -> None:
        self.name = name
        self.signature = signature
        self._load = load
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @property
    def others(self) -> Mapping[str, Engine]:
        """None: they would have to be loaded to be known."""
        return {}

    def run(self, inputs: Tensors, left: TimeLeft) -> Tensors:
        """See `Engine.run`; the first caller waits until it is loaded, or raises why it isn't."""
        with self._lock:
            if self._engine is None:
                self._engine = self._load()
        return self._engine.run(inputs, left)
