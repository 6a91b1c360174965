"""Cores and memory → how many processes, threads and waiting requests: pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plumbline.cgroups import Machine

CORES_PER_WORKER = 8
"""One process spends about a millisecond of Python on a request: it can feed this many cores."""

MEMORY_PER_WORKER = 2 * 1024**3
"""TensorFlow, a model, and the pictures in flight, in bytes."""

MOST_WAITING = 64
"""More would only wait longer: at ten answers a second these take six seconds."""

FEWEST_WAITING = 4

MEMORY_PER_PICTURE = 384 * 1024**2
"""The largest picture, while it is decoded and resized, in bytes: 332 MiB were measured."""

MEMORY_OF_MODEL = 512 * 1024**2
"""What is there before any picture comes: TensorFlow and a model, in bytes."""

SPARE_THREADS = 16
"""Beside those that work or wait: they answer pings and turn away what is too much."""


@dataclass(frozen=True)
class Sizes:
    """How the machine is used; `slots`, `queue`, `threads` and `cores` are for each worker."""

    workers: int
    cores: int
    slots: int
    queue: int

    @property
    def threads(self) -> int:
        """Threads of one worker: a request that waits holds one."""
        return self.slots + self.queue + SPARE_THREADS


def plan(
    machine: Machine,
    max_body: int,
    workers: int | None = None,
    slots: int | None = None,
    queue: int | None = None,
) -> Sizes:
    """The sizes for a machine; what is given is kept. `max_body` is in bytes."""
    workers = workers or worker_count(machine)
    cores = max(1, math.ceil(machine.cores / workers))
    return Sizes(
        workers=workers,
        cores=cores,
        slots=slots or min(cores, picture_slots(machine.memory // workers)),
        queue=queue if queue is not None else queue_length(machine.memory // workers, max_body),
    )


def worker_count(machine: Machine) -> int:
    """A process for every few cores, as far as memory allows."""
    by_cores = int(machine.cores // CORES_PER_WORKER)
    by_memory = machine.memory // MEMORY_PER_WORKER
    return max(1, min(by_cores, by_memory))


def queue_length(memory: int, max_body: int) -> int:
    """As many as a quarter of the memory can hold, should each bring the largest body."""
    return max(FEWEST_WAITING, min(MOST_WAITING, memory // 4 // max_body))


def picture_slots(memory: int) -> int:
    """As many of the largest pictures as fit in beside the model."""
    return max(1, (memory - MEMORY_OF_MODEL) // MEMORY_PER_PICTURE)
