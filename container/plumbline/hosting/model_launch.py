"""How a model's process is started within the memory there is, and whether it should go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.hosting.errors import NotEnoughMemory
from plumbline.hosting.fork_client import Nursery
from plumbline.hosting.memory_estimates import COEFFICIENTS, PLAIN, Estimates, kind_of
from plumbline.hosting.memory_ledger import Ledger
from plumbline.hosting.running_model import Running, await_loaded, own_folder
from plumbline.machine.process_control import memory_of
from plumbline.machine.process_health import GROWN, MOST_SHARE, Condition, Verdict, judge
from plumbline.pipeline.admission import Deadline


@dataclass(frozen=True)
class Means:
    """What models are loaded with."""

    nursery: Nursery
    ledger: Ledger
    estimates: Estimates = field(default_factory=Estimates)
    engine: str = "auto"
    load_seconds: float = 360.0
    folder: Path | None = None
    """Where temporary files go."""
    drain: float = 60.0
    """Seconds that requests in flight have to finish when a model is unloaded."""
    passing: int = 0
    """Bytes that each request may hold while it is computed."""

    def launched(self, name: str, root: Path, unwanted: Callable[[], bool]) -> Running:
        """A process that has loaded the archive; a load that is unwanted meanwhile is broken off.

        Raises `NotEnoughMemory`, `ModelNotLoadable` and `DeadlineExceeded`.
        """
        kind = PLAIN if self.engine == "tensorflow" else kind_of(root)
        deadline = Deadline(self.load_seconds, gone=unwanted)
        with self.ledger.promised(self.estimates.of(root, kind)) as load:
            folder = own_folder(self.folder)
            order = {"name": name, "url": str(root), "shared": folder}
            running = Running(self.nursery.fork(kind, order), folder)

            def tick() -> None:
                deadline.remaining()
                load.take(memory_of(running.child.pid) or 0)
                self.ledger.check(load)

            try:
                running.facts = await_loaded(running.child, tick)
            except BaseException as exc:
                running.close(0)
                if isinstance(exc, NotEnoughMemory):
                    self.estimates.learn(root, max(load.most, load.estimate))
                raise
            load.take(memory_of(running.child.pid) or 0)
            self.estimates.learn(root, load.most)
        running.fresh = max(load.most, COEFFICIENTS[kind].base)
        return running

    def judged(self, running: Running) -> Verdict | None:
        """Why a process should be replaced, if it should; what its requests hold is left out."""
        held = memory_of(running.child.pid)
        if held is None:
            return None
        kept = max(0, held - running.at_work * self.passing)
        least = int(GROWN / MOST_SHARE * running.fresh) + 1  # of what it needs, none is too much
        share = max(least, self.ledger.share_of(kept))
        return judge(Condition(0, kept, running.fresh, share))
