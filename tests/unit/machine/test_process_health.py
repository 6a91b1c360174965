"""When a process that runs a user's code is replaced, and whether its successor comes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import DeadlineExceeded
from plumbline.handlers.code_timeout import Cutoff
from plumbline.machine import cgroups
from plumbline.machine.process_health import MOST_HANGING, Condition, judge

MEBIBYTE = 1024 * 1024

fresh = st.integers(50, 4000).map(lambda size: size * MEBIBYTE)
share = st.integers(512, 32_000).map(lambda size: size * MEBIBYTE)


@given(fresh, share)
def test_a_process_as_it_began_goes_on(fresh: int, share: int) -> None:
    if fresh < 0.9 * share:
        assert judge(Condition(0, fresh, fresh, share)) is None
        assert judge(Condition(MOST_HANGING - 1, fresh, fresh, share)) is None


@given(fresh, share)
def test_one_whose_threads_hang_is_replaced(fresh: int, share: int) -> None:
    verdict = judge(Condition(MOST_HANGING, fresh, fresh, share))
    assert verdict is not None
    assert "4 threads of its handler hang" in verdict.reason
    assert verdict.beside == (2 * fresh <= 0.9 * share)


@given(fresh, share)
def test_one_that_grows_is_replaced_before_its_memory_is_up(fresh: int, share: int) -> None:
    if fresh > 0.9 * share:
        return
    sizes = range(fresh, share + MEBIBYTE, MEBIBYTE * 16)
    last = max(size for size in sizes if judge(Condition(0, size, fresh, share)) is None)
    assert last <= 0.9 * share
    if share > 5 * fresh:  # there is room for two, and for what the one has kept
        verdict = judge(Condition(0, last + 16 * MEBIBYTE, fresh, share))
        assert verdict is not None
        assert verdict.beside
        assert "its memory has grown from" in verdict.reason


def test_the_memory_of_this_process_is_known() -> None:
    before = cgroups.resident()
    held = bytearray(64 * MEBIBYTE)
    held[::4096] = b"x" * len(held[::4096])
    assert cgroups.resident() - before > 32 * MEBIBYTE


def test_what_the_kernel_does_not_say_is_none(tmp_path) -> None:
    assert cgroups.resident(tmp_path) == 0


@pytest.fixture
def free() -> Iterator[threading.Event]:
    """Lets threads that wait for it go."""
    event = threading.Event()
    yield event
    event.set()


def test_what_returns_or_raises_in_time_is_the_callers(free: threading.Event) -> None:
    cutoff = Cutoff()
    assert cutoff.run(lambda: 7, lambda: 9.0) == 7
    for error in (ValueError, SystemExit, KeyboardInterrupt):
        with pytest.raises(error):
            cutoff.run(lambda error=error: (_ for _ in ()).throw(error()), lambda: 9.0)
    assert cutoff.hanging == 0


def test_what_hangs_is_left_behind_and_counted_until_it_ends(
    free: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    cutoff = Cutoff()
    for count in (1, 2):
        with pytest.raises(DeadlineExceeded, match="did not answer"):
            cutoff.run(free.wait, lambda: 0.01)
        assert cutoff.hanging == count
    assert "in wait" in caplog.text
    free.set()
    end = time.monotonic() + 30
    while cutoff.hanging:
        assert time.monotonic() < end


def test_a_deadline_that_is_over_is_said_by_its_clock() -> None:
    def over() -> float:
        raise DeadlineExceeded("It is over.")

    with pytest.raises(DeadlineExceeded, match=r"It is over\."):
        Cutoff().run(lambda: 7, over)
