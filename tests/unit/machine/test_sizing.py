"""Cores and memory → processes, threads and waiting requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.machine.cgroups import Machine
from plumbline.machine.sizing import (
    CORES_PER_WORKER,
    FEWEST_LARGE_WAITING,
    MEMORY_OF_MODEL,
    MEMORY_PER_PICTURE,
    MOST_WAITING,
    SLOTS_PER_CORE,
    SLOTS_PER_CORE_ACCELERATED,
    SMALL_NETWORK,
    SPARE_THREADS,
    Contents,
    Sizes,
    plan,
)
from strategies import nasty

GIB = 1024**3
BODY = 25 * 1024**2
CORES = st.floats(0.1, 256)
MEMORY = st.integers(64 * 1024**2, 2048 * GIB)
BODIES = st.integers(1024, GIB)


@pytest.mark.parametrize(
    ("machine", "sizes", "large"),
    [
        (Machine(0.5, GIB), Sizes(workers=1, cores=1, slots=1, queue=64, cores_alone=1), 10),
        (Machine(2, 4 * GIB), Sizes(workers=1, cores=2, slots=9, queue=64, cores_alone=2), 40),
        (Machine(2, GIB), Sizes(workers=1, cores=2, slots=1, queue=64, cores_alone=2), 10),
        (Machine(1.5, 8 * GIB), Sizes(workers=1, cores=2, slots=16, queue=64, cores_alone=2), 64),
        (Machine(16, 64 * GIB), Sizes(workers=4, cores=4, slots=32, queue=64, cores_alone=4), 64),
        (Machine(96, 4 * GIB), Sizes(workers=2, cores=48, slots=4, queue=64, cores_alone=48), 20),
        (Machine(96, 192 * GIB), Sizes(workers=24, cores=4, slots=20, queue=64, cores_alone=4), 64),
    ],
)
def test_known_machines(machine: Machine, sizes: Sizes, large: int) -> None:
    found = plan(machine, BODY)
    assert found == sizes
    assert found.bodies == (sizes.slots + large) * BODY


@pytest.mark.parametrize(
    ("machine", "network", "sizes", "large"),
    [
        (Machine(2, 4 * GIB), SMALL_NETWORK, Sizes(2, 1, slots=2, queue=64, cores_alone=2), 20),
        (Machine(2, 4 * GIB), SMALL_NETWORK + 1, Sizes(1, 2, slots=4, queue=64, cores_alone=2), 40),
        (Machine(2, GIB), 0, Sizes(1, 2, slots=1, queue=64, cores_alone=2), 10),
        (Machine(8, 32 * GIB), SMALL_NETWORK, Sizes(8, 1, slots=2, queue=64, cores_alone=4), 40),
        (Machine(8, 32 * GIB), GIB, Sizes(2, 4, slots=8, queue=64, cores_alone=4), 64),
    ],
)
def test_small_accelerated_networks_have_a_process_a_core(
    machine: Machine, network: int, sizes: Sizes, large: int
) -> None:
    found = plan(machine, BODY, contents=Contents(network))
    assert found == sizes
    assert found.bodies == (sizes.slots + large) * BODY


def test_code_that_may_wait_for_others_has_more_slots() -> None:
    machine = Machine(2, 16 * GIB)
    assert plan(machine, BODY, contents=Contents(SMALL_NETWORK)).slots == SLOTS_PER_CORE_ACCELERATED
    handled = Contents(SMALL_NETWORK, handled=True)
    assert plan(machine, BODY, contents=handled).slots == SLOTS_PER_CORE


@nasty
@given(CORES, MEMORY, BODIES)
def test_every_size_is_within_its_bounds(cores: float, memory: int, body: int) -> None:
    sizes = plan(Machine(cores, memory), body)
    assert 1 <= sizes.workers <= max(1, cores / CORES_PER_WORKER)
    assert cores <= sizes.workers * sizes.cores < cores + sizes.workers + 1e-6
    assert 1 <= sizes.slots <= SLOTS_PER_CORE * sizes.cores
    assert sizes.queue == MOST_WAITING
    large = sizes.bodies // body - sizes.slots
    assert FEWEST_LARGE_WAITING <= large <= MOST_WAITING
    assert sizes.threads == sizes.slots + sizes.queue + SPARE_THREADS


@nasty
@given(CORES, MEMORY, BODIES)
def test_what_waits_fits_a_quarter_of_the_memory_or_is_the_least(
    cores: float, memory: int, body: int
) -> None:
    sizes = plan(Machine(cores, memory), body)
    waiting = sizes.bodies - sizes.slots * body
    assert sizes.workers * waiting <= memory / 4 or waiting == FEWEST_LARGE_WAITING * body


@nasty
@given(CORES, MEMORY)
def test_the_largest_pictures_fit_beside_the_model_or_come_one_at_a_time(
    cores: float, memory: int
) -> None:
    sizes = plan(Machine(cores, memory), BODY)
    needed = MEMORY_OF_MODEL + sizes.slots * MEMORY_PER_PICTURE
    assert sizes.workers * needed <= memory or sizes.slots == 1


@nasty
@given(CORES, CORES, MEMORY)
def test_more_cores_never_mean_fewer_workers(one: float, other: float, memory: int) -> None:
    few, many = (plan(Machine(cores, memory), BODY) for cores in sorted((one, other)))
    assert few.workers <= many.workers


@nasty
@given(CORES, MEMORY, MEMORY)
def test_more_memory_never_means_fewer_workers(cores: float, one: int, other: int) -> None:
    small, large = (plan(Machine(cores, memory), BODY) for memory in sorted((one, other)))
    assert small.workers <= large.workers


@nasty
@given(MEMORY, BODIES, BODIES)
def test_larger_bodies_never_mean_more_waiting(memory: int, one: int, other: int) -> None:
    small, large = (plan(Machine(4, memory), body) for body in sorted((one, other)))
    assert small.bodies // min(one, other) >= large.bodies // max(one, other)


@nasty
@given(CORES, MEMORY, st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_what_is_given_is_kept(
    cores: float, memory: int, workers: int, slots: int, queue: int
) -> None:
    sizes = plan(Machine(cores, memory), BODY, workers=workers, slots=slots, queue=queue)
    assert (sizes.workers, sizes.slots, sizes.queue) == (workers, slots, queue)
    assert sizes.bodies == (slots + queue) * BODY
