"""Cores and memory → how many processes, threads and waiting requests: pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plumbline.cgroups import Machine

CORES_PER_WORKER = 4
"""One process can feed this many: benchmarks/performance.in.md tells why.

Python runs one thread at a time. A request takes 1.1 ms of it, beside decoding and the model, which
other threads may do meanwhile: one process answered 808 of the smallest requests a second, two
1,622. Where picture and model take 4 ms of a core, as a small or accelerated network does, four
cores already keep it busy.
"""

MEMORY_PER_WORKER = 2 * 1024**3
"""TensorFlow, a model, and the pictures in flight, in bytes."""

MOST_WAITING = 64
"""More would only wait longer: at ten answers a second these take six seconds."""

FEWEST_WAITING = 4

SLOTS_PER_CORE = 8
"""Requests of a process that are at work at a time, for each of its cores, as memory allows.

More than one, so that no core waits for a thread to be woken, and that an engine which computes
batches finds some to batch: measured on two cores with 4 to 64 connections, sixteen slots gave 1.0
to 1.4 times the answers of two. A large picture takes all slots of a core.
"""

MOST_TOGETHER = 8
"""Instances of several requests that TensorFlow computes in a batch, when so many are there.

Measured on two cores, two batches at a time: with four in each, MobileNetV2, a small CNN and a
U-Net took 10 to 30 % less of a core for a picture than one by one; with eight the latter two took
a little less still. More gained nothing, and cost memory.
"""

MEMORY_PER_PICTURE = 384 * 1024**2
"""The largest picture, while it is decoded and resized, in bytes: 332 MiB were measured."""

MEMORY_OF_MODEL = 512 * 1024**2
"""What is there before any picture comes: TensorFlow and a model, in bytes."""

SPARE_THREADS = 16
"""Beside those that work or wait: they answer pings and turn away what is too much."""


MOST_CHANGES = 32
"""Models of a multi-model endpoint that are loaded at a time or wait for it; likewise unloaded."""


@dataclass(frozen=True)
class Sizes:
    """How the machine is used; `slots`, `queue`, `threads` and `cores` are for each worker."""

    workers: int
    cores: int
    slots: int
    queue: int
    changes: int = 0
    """Loads and unloads that may be under way, where there are many models."""

    @property
    def threads(self) -> int:
        """Threads of one worker: a request that waits holds one."""
        return self.slots + self.queue + self.changes + SPARE_THREADS


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
        slots=slots or min(SLOTS_PER_CORE * cores, picture_slots(machine.memory // workers)),
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
