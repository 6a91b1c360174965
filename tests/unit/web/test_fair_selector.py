"""Sockets in the order in which something came, few at a time."""

from __future__ import annotations

import selectors
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from plumbline.web.fair_selector import AT_A_TIME, FairSelector, new_event_loop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems tell of all")

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Seven connections: where one writes, and where one reads."""
    with ExitStack() as stack:
        found = [socket.socketpair() for _ in range(7)]
        for pair in found:
            for end in pair:
                stack.enter_context(end)
        yield found


def test_few_are_told_of_at_a_time_and_all_in_turn(pairs: list[Pair]) -> None:
    with FairSelector() as selector:
        for number, (_, reading) in enumerate(pairs):
            selector.register(reading, selectors.EVENT_READ, number)
        assert selector.select(0) == []
        for writing, _ in reversed(pairs):
            writing.send(b"x")

        told = [[key.data for key, _ in selector.select(0)] for _ in range(len(pairs))]

    assert {len(each) for each in told} == {AT_A_TIME}
    assert [number for each in told for number in each] == 2 * [6, 5, 4, 3, 2, 1, 0]


def test_who_asks_again_comes_after_those_who_have_waited(pairs: list[Pair]) -> None:
    """Each time the first who is told of is answered, and asks again at once."""
    answered = []
    with FairSelector() as selector:
        for number, (writing, reading) in enumerate(pairs):
            selector.register(reading, selectors.EVENT_READ, number)
            writing.send(b"x")
        while len(answered) < 70:
            for key, _ in selector.select(0):
                writing, reading = pairs[key.data]
                reading.recv(1)
                answered.append(key.data)
                writing.send(b"x")

    for start in range(0, 70, 7):
        assert sorted(answered[start : start + 7]) == list(range(7))


def test_an_event_loop_runs_on_it() -> None:
    loop = new_event_loop()
    try:
        seen: list[int] = []
        loop.call_later(0.001, lambda: (seen.append(1), loop.stop()))
        loop.run_forever()
        assert seen == [1]
    finally:
        loop.close()
