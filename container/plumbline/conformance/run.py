"""A run: every check in its place, and what came of it."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from plumbline.conformance.catalogue import CHECKS
from plumbline.conformance.order import Order
from plumbline.conformance.rules import (
    Check,
    Finding,
    Result,
    Where,
    failed,
    no_answer,
    not_judged,
)
from plumbline.conformance.scenes import SCENES, Scene
from plumbline.conformance.workbench import CannotStart, Workbench, opened

AT_ONCE = 3
"""Places at a time; none beside the first, where pings are timed."""

AT_THE_START = ("A2", "B11", "B13", "B14", "B15", "E37")
"""Checks of a start, which need no server that is healthy."""

Tell = Callable[[Result], None]


def conform(order: Order, tell: Tell) -> list[Result]:
    """Run what is wanted, and tell each result as it is there; sorted at the end.

    Raises `CommandError` without Docker or the image. No container is left, whatever happens.
    """
    with opened(order) as bench, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            return sorted(Run(bench, tell).results(pool), key=lambda one: place(one.check))
        except BaseException:
            with undisturbed():
                bench.clear()  # what still waits for a container ends with it
            raise


def place(check: Check) -> tuple[str, int]:
    """What sorts checks."""
    return check.name[0], int(check.name[1:])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Another Ctrl-C must not leave containers behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Run:
    """The places of a bench, one after another or side by side."""

    def __init__(self, bench: Workbench, tell: Tell) -> None:
        self.bench = bench
        self.order = bench.order
        self.tell = tell
        self.lock = threading.Lock()
        self.usual = 0.0
        """Seconds that the first container took until it was healthy."""
        self.problem = ""
        """Why others than the first need not be started."""

    def results(self, pool: ThreadPoolExecutor) -> list[Result]:
        """Of all checks that are wanted."""
        found = pool.submit(self.at, Where.IMAGE, self.wanted(Where.IMAGE)).result()
        first = self.wanted(Where.FIRST, Where.LAST)
        found += pool.submit(self.at, Where.FIRST, first).result()
        asked = [Where.RESTRICTED, Where.BROKEN, Where.LOADING]
        asked += [Where.BATCH] * self.order.batch + [Where.MULTI_MODEL] * self.order.multi_model
        asked += [Where.TRAINING] * (self.order.train is not None)
        running = [pool.submit(self.at, where, self.wanted(where)) for where in asked]
        return found + [result for one in running for result in one.result()]

    def wanted(self, *places: Where) -> list[Check]:
        """The checks of these places, in their order."""
        return [one for at in places for one in CHECKS if one.where == at and self.is_wanted(one)]

    def is_wanted(self, check: Check) -> bool:
        """Whether it was asked for."""
        return self.order.wants(check.name)

    def at(self, where: Where, checks: Sequence[Check]) -> list[Result]:
        """The results of one place."""
        if not checks:
            return []
        if self.problem and where != Where.TRAINING:
            return [self.told(check, not_judged(self.problem)) for check in checks]
        try:
            with SCENES[where](self.bench) as scene:
                scene.facts["usual"] = self.usual
                results = [self.judged(check, scene) for check in checks]
                if where == Where.FIRST:
                    self.learn(scene)
                return results
        except (CannotStart, OSError) as error:
            return [self.told(check, failed(str(error))) for check in checks]

    def learn(self, scene: Scene) -> None:
        """What other places want to know of the first."""
        if scene.start is None or scene.start.ready is None:
            self.problem = "the first container was never healthy"
        else:
            self.usual = scene.start.ready

    def judged(self, check: Check, scene: Scene) -> Result:
        """What a check finds; whoever does not answer has broken the rule."""
        begun = time.monotonic()
        needs_health = check.where in (Where.FIRST, Where.LAST) and check.name not in AT_THE_START
        if needs_health and not scene.is_ready:
            return self.told(check, not_judged("the container was never healthy"))
        if check.where == Where.FIRST and scene.start is None and check.name != "A2":
            return self.told(check, not_judged("it was never started: see A2"))
        try:
            finding = check.judge(scene)
        except CannotStart as error:
            finding = failed(error.message)
        except (OSError, http.client.HTTPException) as error:
            finding = failed(no_answer(error))
        return self.told(check, finding, time.monotonic() - begun)

    def told(self, check: Check, finding: Finding, seconds: float = 0.0) -> Result:
        """The result, which has been told."""
        result = Result(check, finding, seconds)
        if not self.bench.ended.is_set():
            with self.lock:
                self.tell(result)
        return result
