"""The combinations of processes, slots, batches and streams that are worth trying on a machine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plumbline.machine.cgroups import Machine
from plumbline.machine.sizing import (
    MEMORY_PER_SMALL_WORKER,
    MOST_TOGETHER,
    SLOTS_PER_CORE,
    SLOTS_PER_CORE_ACCELERATED,
    picture_slots,
    worker_count,
)

OPENVINO, TENSORFLOW = "openvino", "tensorflow"

BATCHES = (1, 4, MOST_TOGETHER, 2 * MOST_TOGETHER)

QUEUE = 64
"""Longer than the crowd that asks: nobody is turned away, whatever the slots."""


@dataclass(frozen=True)
class Trial:
    """One combination; `slots` and `streams` are of each process."""

    engine: str
    workers: int
    slots: int
    streams: int
    batch: int = MOST_TOGETHER
    default: bool = False

    @property
    def settings(self) -> Mapping[str, str]:
        """The environment variables that make a server work so."""
        found = {
            "PLUMBLINE_ENGINE": self.engine,
            "PLUMBLINE_WORKERS": self.workers,
            "PLUMBLINE_SLOTS": self.slots,
            "PLUMBLINE_BATCH": self.batch if self.engine != OPENVINO else None,
            "PLUMBLINE_STREAMS": self.streams if self.engine != TENSORFLOW else None,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.settings.items())


def trials(machine: Machine, default: Trial) -> list[Trial]:
    """The default, and after it what else OpenVINO and TensorFlow may do; soon one of each."""
    first, *others = with_tensorflow(machine)
    return list(dict.fromkeys([default, first, *with_openvino(machine), *others]))


def with_openvino(machine: Machine) -> Iterator[Trial]:
    """Few processes or one a core, with few slots or many; streams of one core or of several."""
    few = worker_count(machine, None)
    many = min(int(machine.cores), machine.memory // MEMORY_PER_SMALL_WORKER)
    for workers in sorted({few, max(few, many)}):
        cores = cores_of(machine, workers)
        for per_core in (SLOTS_PER_CORE_ACCELERATED, SLOTS_PER_CORE):
            yield Trial(OPENVINO, workers, slots(machine, workers, per_core), cores)
    for streams in fewer(cores_of(machine, few)):
        count = slots(machine, few, SLOTS_PER_CORE_ACCELERATED)
        yield Trial(OPENVINO, few, count, streams)


def with_tensorflow(machine: Machine) -> Iterator[Trial]:
    """Each picture by itself with as many slots as cores, or in batches of several sizes."""
    few = worker_count(machine, None)
    cores = cores_of(machine, few)
    yield Trial(TENSORFLOW, few, slots(machine, few, 1), cores, batch=1)
    for batch in BATCHES:
        yield Trial(TENSORFLOW, few, slots(machine, few, SLOTS_PER_CORE), cores, batch)


def cores_of(machine: Machine, workers: int) -> int:
    """Cores of each of so many processes."""
    return max(1, math.ceil(machine.cores / workers))


def slots(machine: Machine, workers: int, per_core: int) -> int:
    """Slots of each of so many processes, as many as memory has room for."""
    most = picture_slots(machine.memory // workers)
    return min(per_core * cores_of(machine, workers), most)


def fewer(cores: int) -> list[int]:
    """Streams of several cores each: a half, a quarter, and so on, down to one stream of all."""
    return [cores >> shift for shift in range(1, cores.bit_length())]
