"""Who may enter, who waits, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.admission import Admission, Deadline, Load, admits
from plumbline.errors import DeadlineExceeded, ServerBusy
from plumbline.stopwatch import Stopwatch

LONG = 30.0


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def waiting(admission: Admission) -> int:
    return len(admission._waiting)


def enters(admission: Admission) -> bool:
    """Whether a slot is free right now."""
    try:
        with admission.slot(Deadline(0.001), Stopwatch()):
            return True
    except DeadlineExceeded:
        return False


@given(st.floats(0.001, 3600), st.floats(0, 7200))
def test_a_deadline_counts_down_and_then_raises(seconds: float, passed: float) -> None:
    clock = Clock()
    deadline = Deadline(seconds, clock)
    clock.now += passed
    left = 1000.0 + seconds - clock.now
    if left > 0:
        assert deadline.remaining() == left
    else:
        with pytest.raises(DeadlineExceeded):
            deadline.remaining()


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 30))
def test_as_many_are_admitted_as_work_and_wait(slots: int, queue: int, inside: int) -> None:
    assert admits(Load(inside, slots, queue)) is (inside < slots + queue)


@given(st.integers(1, 5), st.integers(0, 5))
def test_places_are_bounded_and_come_back(slots: int, queue: int) -> None:
    admission = Admission(slots, queue)
    with ExitStack() as inside:
        for _ in range(slots + queue):
            inside.enter_context(admission.place())
        assert admission.load == Load(slots + queue, slots, queue)
        with pytest.raises(ServerBusy) as caught, admission.place():
            pytest.fail("one too many was let in")
        assert str(slots) in caught.value.message
        assert caught.value.retry_after == 1
    assert admission.load == Load(0, slots, queue)


def test_a_place_comes_back_when_its_request_fails() -> None:
    admission = Admission(1, 0)
    with pytest.raises(ZeroDivisionError), admission.place():
        raise ZeroDivisionError
    assert admission.load.inside == 0


def test_a_slot_comes_back_when_its_request_fails() -> None:
    admission = Admission(1, 0)
    with pytest.raises(ZeroDivisionError), admission.slot(Deadline(LONG), Stopwatch()):
        raise ZeroDivisionError
    assert enters(admission) is True


@given(st.permutations(range(6)))
@settings(max_examples=10)
def test_slots_are_given_in_the_order_of_arrival(names: list[int]) -> None:
    admission, order = Admission(1, len(names)), list[int]()

    def work(name: int) -> None:
        with admission.slot(Deadline(LONG), Stopwatch()):
            order.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    with admission.slot(Deadline(LONG), Stopwatch()):
        for number, thread in enumerate(threads, start=1):
            thread.start()
            until(lambda number=number: waiting(admission) == number)  # type: ignore[misc]
    for thread in threads:
        thread.join(5)
    assert order == list(names)


def test_never_more_work_than_there_are_slots() -> None:
    admission, lock, busy, most = Admission(3, 20), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal busy, most
        with admission.slot(Deadline(LONG), Stopwatch()):
            with lock:
                busy += 1
                most = max(most, busy)
            time.sleep(0.002)
            with lock:
                busy -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert (most, busy) == (3, 0)


def test_waiting_ends_at_the_deadline() -> None:
    admission, watch = Admission(1, 1), Stopwatch()
    with (
        admission.slot(Deadline(LONG), Stopwatch()),
        pytest.raises(DeadlineExceeded) as caught,
        admission.slot(Deadline(0.02), watch),
    ):
        pytest.fail("there was no slot")
    assert caught.value.message == "The request waited for its turn until its time was up."
    assert 20 <= watch.laps["wait"] < 2000
    assert waiting(admission) == 0


def test_a_request_that_gave_up_keeps_nobody_waiting() -> None:
    admission = Admission(1, 2)
    with admission.slot(Deadline(LONG), Stopwatch()):
        assert enters(admission) is False
    assert enters(admission) is True


def test_a_request_whose_time_was_up_before_it_waited_loses_no_slot() -> None:
    admission, clock = Admission(1, 2), Clock()
    late = Deadline(1, clock)
    clock.now += 2
    with (
        admission.slot(Deadline(LONG), Stopwatch()),
        pytest.raises(DeadlineExceeded),
        admission.slot(late, Stopwatch()),
    ):
        pytest.fail("its time was up")
    assert enters(admission) is True


def test_a_turn_that_comes_while_giving_up_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    admission = Admission(1, 1)
    first = admission.slot(Deadline(LONG), Stopwatch())
    first.__enter__()

    def too_late(event: threading.Event, timeout: float | None = None) -> bool:
        admission._release()
        return False

    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", too_late)
        with pytest.raises(DeadlineExceeded), admission.slot(Deadline(LONG), Stopwatch()):
            pytest.fail("it gave up")
    assert enters(admission) is True


def test_the_wait_is_measured() -> None:
    watch = Stopwatch()
    with Admission(1, 0).slot(Deadline(LONG), watch):
        assert list(watch.laps) == ["wait"]
