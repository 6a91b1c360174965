"""The models of a multi-model endpoint by name: loaded, asked and unloaded from many threads.

A model is in the table from the moment its loading begins, and answers once it is there whole. Who
unloads it takes it out first, so that nobody finds it any more, and then waits for those who have
entered. A model whose process ends by itself is loaded again; if that ends too, without having
answered anybody, the model counts as unloaded from then on. One whose process has grown too far is
loaded again first, where there is room.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from plumbline.errors import ModelNotReady, PlumblineError
from plumbline.hosting import messages
from plumbline.hosting.errors import (
    FolderNotFound,
    ModelAlreadyLoaded,
    ModelNotLoaded,
    NotEnoughMemory,
)
from plumbline.hosting.fork_client import start
from plumbline.hosting.model_entry import Hosted, entry
from plumbline.hosting.model_launch import Means
from plumbline.hosting.running_model import Running
from plumbline.machine.process_control import memory_of

log = logging.getLogger("plumbline.hosting")

ENDING_SECONDS = 5.0
"""What a process may take to end by itself, before it is killed."""

RESTS = 3.0
"""So many times as long as it took to load, a process goes on, however much it grows meanwhile."""

LOOK_SECONDS = 0.2
"""How often, at most, the memory of a process is looked at."""


class Hosts:
    """The table."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._table: dict[str, Hosted] = {}
        self._changed = threading.Condition()
        self.ends: Counter[str] = Counter()
        """How many processes were to be replaced, by what was wrong with them."""

    def load(self, name: str, url: str) -> None:
        """Load a model; returns when it can answer.

        Raises `FolderNotFound`, `ModelAlreadyLoaded`, `NotEnoughMemory`, `ModelNotLoadable` and
        `DeadlineExceeded`; then nothing is left of it.
        """
        if not Path(url).is_dir():
            raise FolderNotFound(
                f"Could not find valid base path {url} for servable {name}: no such folder."
            )
        hosted = Hosted(name, url)
        with self._changed:
            if name in self._table:
                raise ModelAlreadyLoaded(f"Model {name} is already loaded, or loading.")
            self._table[name] = hosted
        try:
            self._start(hosted)
        except BaseException:
            self._forget(hosted)
            raise

    def unload(self, name: str) -> None:
        """Take a model out; returns when its requests are answered and its memory is free.

        Raises `ModelNotLoaded`.
        """
        with self._changed:
            hosted = self._found(name)
            del self._table[name]
            hosted.unwanted = True
            self._changed.wait_for(lambda: hosted.busy == 0, self._means.drain)
            running, hosted.running = hosted.running, None
        if running is not None:
            running.close(ENDING_SECONDS)
        log.info("The model %s is unloaded.", name)

    def demand(self, name: str) -> None:
        """Raise `ModelNotLoaded` where there is no such model."""
        with self._changed:
            self._found(name)

    def close(self) -> None:
        """Unload all models, and end what they were forked from."""
        while names := [*self._table]:
            for name in names:
                with suppress(ModelNotLoaded):
                    self.unload(name)
        self._means.nursery.close()

    @contextmanager
    def entered(self, name: str) -> Iterator[Callable[[messages.Asked], messages.Answered]]:
        """What asks a model, which is not taken away meanwhile. Raises `ModelNotLoaded`.

        What asks it raises `ModelNotReady`, and whatever the model raises.
        """
        with self._changed:
            hosted = self._found(name)
            hosted.busy += 1
        try:
            yield partial(self._ask, hosted)
        finally:
            self._leave(hosted)

    def _ask(self, hosted: Hosted, asked: messages.Asked) -> messages.Answered:
        with self._at_work(hosted) as running:
            hosted.requests += 1
            try:
                return messages.to_answered(running.ask(messages.from_asked(asked), asked.seconds))
            except PlumblineError:
                hosted.errors += 1
                raise

    @contextmanager
    def _at_work(self, hosted: Hosted) -> Iterator[Running]:
        """The process that answers for it now, which is looked at afterwards."""
        with self._changed:
            running = self._answering(hosted)
            running.at_work += 1
        try:
            yield running
        finally:
            with self._changed:
                running.at_work -= 1
                self._changed.notify_all()
            if running.is_due(LOOK_SECONDS):
                start(partial(self._look, hosted, running))

    def loaded(self) -> list[Hosted]:
        """All models that have been loaded."""
        with self._changed:
            return [hosted for hosted in self._table.values() if hosted.loaded]

    def describe(self, name: str) -> dict[str, Any]:
        """What is known of a loaded model. Raises `ModelNotLoaded`."""
        with self._changed:
            hosted = self._found(name)
            running = hosted.running
        return {
            **entry(hosted),
            "state": "ready" if running else "loading again",
            "requests": hosted.requests,
            "errors": hosted.errors,
            "loadSeconds": round(hosted.load_seconds, 3),
            "memory": running and memory_of(running.child.pid),
            "pid": running and running.child.pid,
            **(running.facts if running else {}),
        }

    def listed(self, after: str, most: int) -> tuple[Sequence[dict[str, str]], str | None]:
        """The loaded models behind that name, in alphabetical order, and where the next page begins
        (None at the end).
        """
        page = sorted((one for one in self.loaded() if one.name > after), key=lambda one: one.name)
        more = page[most - 1].name if len(page) > most else None
        return [entry(hosted) for hosted in page[:most]], more

    def _found(self, name: str) -> Hosted:
        hosted = self._table.get(name)
        if hosted is None or not hosted.loaded:
            raise ModelNotLoaded(f"Model {name} is not loaded yet.")
        return hosted

    def _answering(self, hosted: Hosted) -> Running:
        """The process that answers for it now."""
        if hosted.running is not None:
            return hosted.running
        if self._table.get(hosted.name) is not hosted:
            raise ModelNotLoaded(f"Model {hosted.name} is not loaded any more; load it again.")
        raise ModelNotReady(f"The process of model {hosted.name} has ended; it loads again.", 2)

    def _leave(self, hosted: Hosted) -> None:
        with self._changed:
            hosted.busy -= 1
            self._changed.notify_all()

    def _start(self, hosted: Hosted) -> None:
        """Load it in a process of its own, and let that answer from then on."""
        begun = time.monotonic()
        running = self._means.launched(hosted.name, Path(hosted.url), lambda: hosted.unwanted)
        with self._changed:
            wanted, before = not hosted.unwanted, hosted.running
            if wanted:
                hosted.running, hosted.loaded = running, True
                hosted.load_seconds = time.monotonic() - begun
                running.due = time.monotonic() + RESTS * hosted.load_seconds
        if not wanted:
            running.close(ENDING_SECONDS)
            return
        running.child.when_ended(partial(self._revive, hosted, running))
        log.info("The model %s is loaded, in %.2f s.", hosted.name, hosted.load_seconds)
        if before is not None:
            self._retire(before)

    def _revive(self, hosted: Hosted, ended: Running) -> None:
        """Load a model again whose process has ended by itself, unless that is in vain."""
        with self._changed:
            if hosted.running is not ended or hosted.unwanted:
                return
            hosted.running = None
            hosted.busy += 1
        ended.close(0)
        try:
            if hosted.renewing:  # it is being loaded already
                return
            log.error("The process of model %s %s.", hosted.name, ended.child.words)
            self.ends["killed" if ended.child.status < 0 else "crashed"] += 1
            if hosted.revived and ended.answered == 0:
                raise ModelNotReady("It was loaded twice, and served no request; the log says why.")
            hosted.revived = True
            self._start(hosted)
        except PlumblineError as exc:
            log.warning("The model %s is not loaded again: %s", hosted.name, exc.message)
            self._forget(hosted)
        finally:
            self._leave(hosted)

    def _look(self, hosted: Hosted, running: Running) -> None:
        """Replace a process that has kept what it should not have."""
        verdict = self._means.judged(running)
        with self._changed:
            current = hosted.running is running and not hosted.unwanted and not hosted.renewing
            if verdict is None or not current:
                return
            hosted.renewing = True
            hosted.busy += 1
        log.warning("The process of model %s is replaced: %s.", hosted.name, verdict.reason)
        self.ends[verdict.kind] += 1
        self._renew(hosted, running, beside=verdict.beside)

    def _renew(self, hosted: Hosted, worn: Running, *, beside: bool) -> None:
        """Load a model again, if that can be; what can answer meanwhile does."""
        try:
            if not (beside and self._succeeded(hosted)):
                with self._changed:
                    hosted.running = None
                self._retire(worn)
                self._start(hosted)
        except PlumblineError as exc:
            log.warning("The model %s is not loaded again: %s", hosted.name, exc.message)
            worn.due = time.monotonic() + RESTS * hosted.load_seconds
            if hosted.running is None:
                self._forget(hosted)
        finally:
            hosted.renewing = False
            self._leave(hosted)

    def _succeeded(self, hosted: Hosted) -> bool:
        """Whether there was room for another process, to which requests go from now on."""
        try:
            self._start(hosted)
        except NotEnoughMemory:
            return False
        return True

    def _retire(self, running: Running) -> None:
        """Let a process finish what it computes, and end."""
        with self._changed:
            self._changed.wait_for(lambda: running.at_work == 0, self._means.drain)
        running.close(ENDING_SECONDS)

    def _forget(self, hosted: Hosted) -> None:
        with self._changed:
            if self._table.get(hosted.name) is hosted:
                del self._table[hosted.name]
