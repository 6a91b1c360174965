"""The connections of a worker: what each waits for, what it holds, and which give way to others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain, islice

from plumbline.machine.sockets import says_nothing
from plumbline.web.connection import Connection, State

STALLED_SECONDS = 5.0
"""Who has sent nothing for so long, though something is due, may give way."""


class OpenConnections:
    """What the event loop knows of them; bodies may have `most_held` bytes together."""

    def __init__(self, most_held: int) -> None:
        self.by_state: dict[State, dict[Connection, None]] = {state: {} for state in State}
        """Those that have been in their state for longest first."""
        self.leaving: set[Connection] = set()
        """Those that end with the answer to what was asked last."""
        self._states: dict[Connection, State] = {}
        self._most_held = most_held
        self._held: dict[Connection, int] = {}
        """Bytes of bodies that have not been answered."""
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._states))

    def note(self, connection: Connection) -> None:
        """Know the state of a connection, and what it holds."""
        state, before = connection.state, self._states.get(connection)
        if state is not before:
            if before is not None:
                self.by_state[before].pop(connection, None)
            self.by_state[state][connection] = None
            self._states[connection] = state
        size = len(connection.request.body) if connection.request else 0
        if size or self._held:
            self._held_bytes += size - self._held.pop(connection, 0)
        if size:
            self._held[connection] = size
        if self._held_bytes > self._most_held and state is State.BODY:
            self.settle()
            if self._held_bytes > self._most_held:
                min(self.by_state[State.BODY], key=lambda one: one.heard).give_up()

    def forget(self, connection: Connection) -> None:
        """Know nothing more of it."""
        state = self._states.pop(connection, None)
        if state is not None:
            self.by_state[state].pop(connection, None)
        self._held_bytes -= self._held.pop(connection, 0)
        self.leaving.discard(connection)

    def settle(self) -> None:
        """Notice what threads have sent."""
        for one in list(self.by_state[State.WORK]):
            one.settle()

    def make_room(self, wanted: int) -> None:
        """Close so many connections that are missed least, of each kind the oldest first.

        Those give way that have sent nothing yet, then those that are kept and say nothing, then
        those that have stalled in a header or since their answer.
        """
        self.settle()
        quiet = chain(self.by_state[State.SILENT], self.by_state[State.IDLE])
        slow = chain(self.by_state[State.HEADER], self.by_state[State.LINGER])
        stalled = time.monotonic() - STALLED_SECONDS
        least = chain(
            (one for one in quiet if says_nothing(one.sock)),
            (one for one in slow if max(one.since, one.heard) < stalled),
        )
        for one in list(islice(least, wanted)):
            one.close()
