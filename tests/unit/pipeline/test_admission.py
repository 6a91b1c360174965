"""Who may enter, who waits, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ClientGone, DeadlineExceeded, ServerBusy
from plumbline.pipeline.admission import Admission, Deadline, Load, admits
from plumbline.pipeline.stopwatch import Stopwatch

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


class Clients:
    """Clients of whom a test says which have hung up."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    def deadline(self, name: str) -> Deadline:
        return Deadline(LONG, gone=lambda: name in self.gone)


def attempt(admission: Admission, deadline: Deadline) -> str:
    """A request from its place to its work."""
    with admission.place(deadline), admission.slot(deadline, Stopwatch()):
        return "worked"


def enter_with(admission: Admission, deadline: Deadline, weight: int) -> None:
    """A request of a weight, from its turn on."""
    with admission.slot(deadline, Stopwatch(), weight):
        pass


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
            inside.enter_context(admission.place(Deadline(LONG)))
        assert admission.load == Load(slots + queue, slots, queue)
        with pytest.raises(ServerBusy) as caught, admission.place(Deadline(LONG)):
            pytest.fail("one too many was let in")
        assert str(slots) in caught.value.message
        assert caught.value.retry_after == 1
    assert admission.load == Load(0, slots, queue)


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 100))
def test_bodies_are_bounded_together_and_one_is_always_taken(sizes: list[int], most: int) -> None:
    admission, held = Admission(2, 3, most), []
    with ExitStack() as inside:
        for size in sizes:
            wanted = len(held) < 5 and (not held or sum(held) + size <= most)
            if wanted:
                inside.enter_context(admission.place(Deadline(LONG), size))
                held.append(size)
                continue
            with pytest.raises(ServerBusy) as caught, admission.place(Deadline(LONG), size):
                pytest.fail("one too many was let in")
            assert ("bodies of" in caught.value.message) == (len(held) < 5)
        assert admission.load.inside == len(held)
    with admission.place(Deadline(LONG), most), admission.place(Deadline(LONG), 0):
        assert admission.load.inside == 2


def test_a_place_comes_back_when_its_request_fails() -> None:
    admission = Admission(1, 0)
    with pytest.raises(ZeroDivisionError), admission.place(Deadline(LONG)):
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
    assert caught.value.message == (
        "The request waited for its turn until its time was up. "
        "Try again in a moment, or add instances."
    )
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
    admission, clock, inside = Admission(1, 1), Clock(), ExitStack()
    inside.enter_context(admission.slot(Deadline(LONG), Stopwatch()))

    def too_late(_event: threading.Event, timeout: float | None = None) -> bool:
        clock.now += LONG
        inside.close()
        return False

    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", too_late)
        late = Deadline(LONG, clock)
        with pytest.raises(DeadlineExceeded), admission.slot(late, Stopwatch()):
            pytest.fail("its time was up")
    assert enters(admission) is True


def test_a_large_request_takes_several_slots_and_keeps_its_turn() -> None:
    admission, order = Admission(4, 9), list[int]()

    def work(weight: int) -> None:
        with admission.slot(Deadline(LONG), Stopwatch(), weight):
            order.append(weight)

    with ExitStack() as inside:
        inside.enter_context(admission.slot(Deadline(LONG), Stopwatch(), 3))
        threads = [threading.Thread(target=work, args=(weight,)) for weight in (2, 1)]
        for number, thread in enumerate(threads, start=1):
            thread.start()
            until(lambda number=number: waiting(admission) == number)  # type: ignore[misc]
        assert enters(admission) is False, "somebody came before the large one"
    for thread in threads:
        thread.join(5)
    assert sorted(order) == [1, 2]


def test_what_is_larger_than_the_server_takes_all_of_it() -> None:
    admission = Admission(2, 1)
    with admission.slot(Deadline(LONG), Stopwatch(), 99):
        assert enters(admission) is False
    assert enters(admission) is True


def test_who_waited_behind_a_large_request_that_gave_up_goes_on() -> None:
    admission = Admission(2, 9)
    with admission.slot(Deadline(LONG), Stopwatch()), ThreadPoolExecutor(2) as pool:
        large = pool.submit(enter_with, admission, Deadline(0.2), 2)
        until(lambda: waiting(admission) == 1)
        small = pool.submit(enter_with, admission, Deadline(LONG), 1)
        assert isinstance(large.exception(5), DeadlineExceeded)
        assert small.result(5) is None


def test_nothing_is_done_for_a_client_that_hung_up_before_its_turn() -> None:
    admission, clients = Admission(1, 1), Clients()
    first = admission.slot(Deadline(LONG), Stopwatch())
    first.__enter__()
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(attempt, admission, clients.deadline("one"))
        until(lambda: waiting(admission) == 1)
        clients.gone.add("one")
        first.__exit__(None, None, None)
        assert isinstance(waits.exception(5), ClientGone)
    assert enters(admission) is True


def test_places_of_clients_that_hung_up_are_free_when_they_are_needed() -> None:
    admission, clients = Admission(1, 3), Clients()
    names = ["one", "two", "three"]
    with ThreadPoolExecutor(4) as pool:
        with admission.place(Deadline(LONG)), admission.slot(Deadline(LONG), Stopwatch()):
            waits = {}
            for number, name in enumerate(names, start=1):
                waits[name] = pool.submit(attempt, admission, clients.deadline(name))
                until(lambda number=number: waiting(admission) == number)  # type: ignore[misc]
            clients.gone |= {"one", "three"}
            newcomer = pool.submit(attempt, admission, Deadline(LONG))
            until(lambda: waiting(admission) == 2)
            assert admission.load == Load(3, 1, 3)
            assert all(
                isinstance(waits[name].exception(5), ClientGone) for name in ("one", "three")
            )
        assert (waits["two"].result(5), newcomer.result(5)) == ("worked", "worked")
    assert admission.load == Load(0, 1, 3)
    assert enters(admission) is True


def test_who_is_still_there_keeps_its_place() -> None:
    admission, clients = Admission(1, 1), Clients()
    with ThreadPoolExecutor(1) as pool:
        with admission.place(Deadline(LONG)), admission.slot(Deadline(LONG), Stopwatch()):
            waits = pool.submit(attempt, admission, clients.deadline("one"))
            until(lambda: waiting(admission) == 1)
            with pytest.raises(ServerBusy):
                attempt(admission, Deadline(LONG))
        assert waits.result(5) == "worked"


def test_the_wait_is_measured() -> None:
    watch = Stopwatch()
    with Admission(1, 0).slot(Deadline(LONG), watch):
        assert list(watch.laps) == ["wait"]
