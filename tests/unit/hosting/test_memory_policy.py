"""Whether one more model fits, and which load is broken off: decided on numbers alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.hosting.errors import NotEnoughMemory
from plumbline.hosting.memory_estimates import PACKED, PLAIN, Estimates, guess, kind_of
from plumbline.hosting.memory_ledger import Ledger
from plumbline.hosting.memory_policy import Loading, Room, fits, reserve, slots_for, to_break_off
from plumbline.machine.cgroups import Memory
from strategies import nasty

BYTES = st.integers(0, 2**40)
LOADS = st.lists(st.builds(Loading, BYTES, BYTES), max_size=5)


@nasty
@given(BYTES, BYTES, BYTES, LOADS, BYTES)
def test_what_is_let_in_stays_within_the_limit(
    limit: int, used: int, kept: int, loading: list[Loading], estimate: int
) -> None:
    room = Room(limit, used, kept, loading)
    still_to_come = sum(max(0, load.estimate - load.taken) for load in loading)
    assert fits(room, estimate) == (used + still_to_come + estimate + kept <= limit)


def test_a_load_counts_for_what_it_has_not_taken_yet() -> None:
    assert not fits(Room(100, 20, 10, [Loading(50, 0)]), 30)
    assert fits(Room(100, 20, 10, [Loading(50, 20)]), 30)
    assert fits(Room(100, 60, 10, [Loading(50, 70)]), 30)


@nasty
@given(BYTES, BYTES, BYTES, LOADS)
def test_a_load_is_broken_off_only_where_half_of_the_reserve_is_gone(
    limit: int, used: int, kept: int, loading: list[Loading]
) -> None:
    chosen = to_break_off(Room(limit, used, kept, loading))
    if chosen is None:
        assert limit - used >= kept // 2 or not loading
    else:
        assert limit - used < kept // 2
        excess = loading[chosen].taken - loading[chosen].estimate
        assert all(excess >= load.taken - load.estimate for load in loading)


def test_of_small_limits_a_quarter_is_kept_and_of_large_ones_what_all_slots_need() -> None:
    assert reserve(2000, slots=4, largest=384) == 500
    assert reserve(100_000, slots=4, largest=384) == 4 * 384


@nasty
@given(st.lists(st.integers(1, 10**9), min_size=1), st.integers(1, 256), st.integers(1, 10**12))
def test_requests_in_work_together_stay_within_the_reserve(
    sizes: list[int], slots: int, kept: int
) -> None:
    taken = needed = 0
    for size in sizes:
        if taken + slots_for(size, slots, kept) <= slots:
            taken += slots_for(size, slots, kept)
            needed += size
    assert needed <= kept
    assert slots_for(0, slots, kept) == 1


class Machine:
    """Memory that a test sets."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def __call__(self) -> Memory:
        return Memory(self.limit, self.used)


def test_the_ledger_counts_loads_under_way_and_forgets_those_that_ended() -> None:
    ledger = Ledger(Machine(1000), reserve=100)
    with ledger.promised(500):
        with pytest.raises(NotEnoughMemory, match="Unload others"), ledger.promised(500):
            pass
        with ledger.promised(400):
            pass
    with pytest.raises(ZeroDivisionError), ledger.promised(900):
        raise ZeroDivisionError
    with ledger.promised(900):
        pass


def test_of_two_loads_that_which_exceeds_its_estimate_is_broken_off() -> None:
    machine = Machine(1000)
    ledger = Ledger(machine, reserve=100)
    with ledger.promised(400) as modest, ledger.promised(400) as greedy:
        modest.take(390)
        greedy.take(570)
        machine.used = 960
        ledger.check(modest)
        with pytest.raises(NotEnoughMemory):
            ledger.check(greedy)
        machine.used = 940
        ledger.check(greedy)


def write(root: Path, **files: int) -> Path:
    for name, size in files.items():
        file = root / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(size))
    return root


def test_a_packed_archive_is_told_from_a_plain_one(tmp_path: Path) -> None:
    assert kind_of(write(tmp_path / "plain", saved__model_pb=1)) == PLAIN
    assert kind_of(write(tmp_path / "packed", accelerated__forms_json=1)) == PACKED


def test_larger_files_are_estimated_to_take_more(tmp_path: Path) -> None:
    small = write(tmp_path / "small", model_pb=10, variables__data=1000)
    large = write(tmp_path / "large", model_pb=10, variables__data=5_000_000)
    complex_ = write(tmp_path / "complex", model_pb=5_000_000, variables__data=1000)
    assert guess(small, PLAIN) + 5_000_000 < guess(large, PLAIN) < guess(complex_, PLAIN)


def test_of_a_packed_archive_only_what_is_computed_counts(tmp_path: Path) -> None:
    root = write(tmp_path, accelerated__network_bin=1000, saved__variables_data=9_000_000)
    assert guess(root, PACKED) < guess(write(tmp_path, accelerated__b_bin=9_000_000), PACKED)
    assert guess(root, PLAIN) > guess(tmp_path / "accelerated", PLAIN)


def test_what_a_load_took_replaces_the_guess_until_a_file_changes(tmp_path: Path) -> None:
    root, estimates = write(tmp_path, model_pb=1000), Estimates()
    assert estimates.of(root, PLAIN) == guess(root, PLAIN)
    estimates.learn(root, 123)
    estimates.learn(root, 100)
    assert estimates.of(root, PLAIN) == 123
    os.utime(root / "model.pb", ns=(0, 0))
    assert estimates.of(root, PLAIN) == guess(root, PLAIN)


def test_links_are_not_followed_by_an_estimate(tmp_path: Path) -> None:
    root = write(tmp_path / "model", model_pb=10)
    before = guess(root, PLAIN)
    (root / "loop").symlink_to(root)
    (root / "device").symlink_to("/dev/zero")
    assert guess(root, PLAIN) == before
