"""When a worker ends because its user's code has hung or leaked, and who serves meanwhile."""

from __future__ import annotations

import logging
import os
import signal

from plumbline.handlers.code_timeout import Cutoff
from plumbline.loading.served_model import ServedModel
from plumbline.machine import cgroups
from plumbline.machine.process_health import Condition, judge
from plumbline.web.worker_succession import NOTES

log = logging.getLogger("plumbline.web")


class Tenure:
    """How long this worker goes on: asked by its main loop, on its turns."""

    def __init__(self, model: ServedModel, cutoff: Cutoff, share: int) -> None:
        self._model = model
        self._cutoff = cutoff
        self._share = share
        self._fresh = 0
        self._others: set[int] | None = None
        """While it retires: those who were ready before."""

    def is_over(self, arbiter: int) -> bool:
        """Whether to end now, after the requests in work; a successor has been called before."""
        if self._model.status.state != "ready":
            return False
        if not self._fresh:
            self._fresh = cgroups.resident()
            NOTES.leave("ready", os.getpid())
        if self._others is not None:
            return bool(NOTES.pids("ready") - self._others)
        return self.is_handled() and self._should_retire(arbiter)

    def is_handled(self) -> bool:
        """Whether a user's code runs here."""
        pipeline = self._model.models().default.pipeline
        return pipeline.bare is not pipeline

    def _should_retire(self, arbiter: int) -> bool:
        now = Condition(self._cutoff.hanging, cgroups.resident(), self._fresh, self._share)
        verdict = judge(now)
        if verdict is None:
            return False
        log.warning("This process is replaced: %s.", verdict.reason)
        NOTES.leave(verdict.kind, os.getpid())
        if not verdict.beside or NOTES.folder is None:
            return True
        self._others = NOTES.pids("ready")
        NOTES.leave("retiring", os.getpid())
        os.kill(arbiter, signal.SIGTTIN)
        return False
