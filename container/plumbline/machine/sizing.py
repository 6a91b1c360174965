"""Cores and memory → how many processes, threads and waiting requests: pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from plumbline.machine.cgroups import Machine

CORES_PER_WORKER = 4
"""Of a process that holds TensorFlow or a large network, which would cost too much once a core."""

SMALL_NETWORK = 32 * 1024**2
"""Bytes of an accelerated network's weights that every core may have in a process of its own.

Python runs one thread of a process at a time. Measured on two cores, with MobileNetV2 in int8 and a
small CNN, two processes answered 1.2 to 1.4 times as many as one, for 50 to 110 MB more; with
ResNet-50, whose second process takes 440 MB, no more than one: docs/performance.md.
"""

MEMORY_PER_WORKER = 2 * 1024**3
"""TensorFlow, a model, and the pictures in flight, in bytes."""

MEMORY_PER_SMALL_WORKER = 1024**3
"""The same without TensorFlow."""

MOST_WAITING = 64
"""More would only wait longer: at ten answers a second these take six seconds."""

FEWEST_LARGE_WAITING = 4
"""Bodies of the largest size that may wait, however little memory there is."""

SLOTS_PER_CORE = 8
"""Requests of a process that are at work at a time, for each of its cores, as memory allows.

More than one, so that no core waits for a thread to be woken, and that an engine which computes
batches finds some to batch: measured on two cores with 4 to 64 connections, sixteen slots gave 1.0
to 1.4 times the answers of two. A large picture takes all slots of a core.
"""

SLOTS_PER_CORE_ACCELERATED = 2
"""The same for accelerated networks, which compute each request by itself.

Measured likewise with 32 connections, sixteen slots gave 0.8 to 1.0 times the answers of four.
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


LEAST_PARSED = 64 * 1024**2

PARSED = 20
"""Times the largest body that what is made of it may take: JSON of nested lists takes so much."""

MOST_CHANGES = 32
"""Models of a multi-model endpoint that are loaded at a time or wait for it; likewise unloaded."""


@dataclass(frozen=True)
class Sizes:
    """How the machine is used; `slots`, `queue`, `threads` and `cores` are for each worker."""

    workers: int
    cores: int
    slots: int
    queue: int
    cores_alone: int
    """Cores that one request may have while it is the only one."""
    changes: int = 0
    """Loads and unloads that may be under way, where there are many models."""

    bodies: int = field(default=1 << 60, compare=False)
    """Bytes of all bodies that are at work or wait."""

    parsed: int = field(default=1 << 60, compare=False)
    """Bytes of memory that one request's JSON may take, once it is parsed."""

    @property
    def threads(self) -> int:
        """Threads of one worker: a request that waits holds one."""
        return self.slots + self.queue + self.changes + SPARE_THREADS


@dataclass(frozen=True)
class Contents:
    """What lies in a model folder, as far as it matters here."""

    network: int | None = None
    """Bytes of an accelerated network's weights, if there is one."""
    handled: bool = False
    """Whether a user's code handles requests: it may wait for others."""


def plan(
    machine: Machine,
    max_body: int,
    workers: int | None = None,
    slots: int | None = None,
    queue: int | None = None,
    contents: Contents = Contents(),
) -> Sizes:
    """The sizes for a machine; what is given is kept. `max_body` is in bytes."""
    workers = workers or worker_count(machine, contents.network)
    cores = max(1, math.ceil(machine.cores / workers))
    waits = contents.network is None or contents.handled
    usual = (SLOTS_PER_CORE if waits else SLOTS_PER_CORE_ACCELERATED) * cores
    memory = machine.memory // workers
    slots = slots or min(usual, picture_slots(memory))
    return Sizes(
        workers=workers,
        cores=cores,
        slots=slots,
        parsed=parsed(memory, max_body, slots),
        queue=MOST_WAITING if queue is None else queue,
        bodies=max_body * (slots + (large_waiting(memory, max_body) if queue is None else queue)),
        cores_alone=max(cores, min(CORES_PER_WORKER, math.ceil(machine.cores))),
    )


def worker_count(machine: Machine, network: int | None) -> int:
    """A process for every few cores, or for each one, as far as memory allows."""
    small = network is not None and network <= SMALL_NETWORK
    cores, memory = (1, MEMORY_PER_SMALL_WORKER) if small else (CORES_PER_WORKER, MEMORY_PER_WORKER)
    return max(1, min(int(machine.cores // cores), machine.memory // memory))


def large_waiting(memory: int, max_body: int) -> int:
    """As many of the largest bodies as a quarter of the memory can hold."""
    return max(FEWEST_LARGE_WAITING, min(MOST_WAITING, memory // 4 // max_body))


def parsed(memory: int, max_body: int, slots: int) -> int:
    """Half of what is left beside the model, for each of the large bodies that are at work."""
    at_once = max(1, slots // SLOTS_PER_CORE)
    return max(LEAST_PARSED, min(PARSED * max_body, (memory - MEMORY_OF_MODEL) // 2 // at_once))


def picture_slots(memory: int) -> int:
    """As many of the largest pictures as fit in beside the model."""
    return max(1, (memory - MEMORY_OF_MODEL) // MEMORY_PER_PICTURE)
