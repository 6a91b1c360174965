"""How far the loading of an archive's models has come, for whoever asks meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from plumbline.errors import ModelNotReady, PlumblineError
from plumbline.loading.model_registry import Registry

log = logging.getLogger("plumbline.loading")

READY = "The model is ready."
"""What a process logs then."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Status:
    """`state` is "loading", "ready" or "failed"; `reason` says it in a sentence."""

    state: str
    reason: str
    models: Registry | None = None
    error: Exception | None = None
    """Why it failed."""


def nothing() -> None:
    """Do nothing."""


class ServedModel:
    """An archive whose models load in the background and answer once all are ready."""

    def __init__(
        self, load: Callable[[Say], Registry], ready: Callable[[], object] = nothing
    ) -> None:
        """`ready` is called once requests are answered, not a moment before."""
        self._load = load
        self._ready = ready
        self.status = Status("loading", "The model is waiting to be loaded.")

    def models(self) -> Registry:
        """What answers requests. Raises `ModelNotReady`."""
        status = self.status
        if status.models is not None:
            return status.models
        if status.state == "failed":
            raise ModelNotReady("The model failed to load; the server's log says why.", 30)
        raise ModelNotReady(status.reason, 2)

    def start(self, on_failure: Callable[[], None]) -> threading.Thread:
        """Load in a thread of its own; `on_failure` is called if that fails."""
        thread = threading.Thread(
            target=self.load, args=(on_failure,), name="plumbline-load", daemon=True
        )
        thread.start()
        return thread

    def load_now(self) -> Registry:
        """Load in this thread. Raises what loading raises."""
        models = self._load(self._say)
        log.info(READY)
        self.status = Status("ready", READY, models)
        self._ready()
        return models

    def load(self, on_failure: Callable[[], None]) -> None:
        """Load, and say how it went."""
        try:
            self.load_now()
        except Exception as exc:  # the one place where any failure becomes a status
            reason = f"The model failed to load: {reason_of(exc)}"
            told = isinstance(exc, PlumblineError) and not log.isEnabledFor(logging.DEBUG)
            log.log(logging.ERROR, reason, exc_info=not told)
            self.status = Status("failed", one_line(reason), error=exc)
            on_failure()

    def _say(self, reason: str) -> None:
        log.info(reason)
        self.status = Status("loading", reason)


def reason_of(error: Exception) -> str:
    """Why loading failed, for whoever deployed the model."""
    if isinstance(error, PlumblineError):
        return error.message
    return f"{type(error).__name__}: {error}"


def one_line(text: str, most: int = 600) -> str:
    """The text without line breaks, cut to what a health check shows."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most] + " …"
