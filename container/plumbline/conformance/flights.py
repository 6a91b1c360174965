"""Requests that are on their way when something happens to their server."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from plumbline.conformance import raw_requests
from plumbline.conformance.order import Sample

CONNECTIONS = 8

SURE = 0.25
"""Seconds that a request must have been on its way to count as taken."""

SETTLED = 10.0
"""Seconds in which those that are held back have got through to the server."""

HELD = 30.0
"""Seconds after which nothing is held back any longer."""


@dataclass
class Flight:
    """A request: when it was there, when its answer, and whether that came."""

    held: bool
    """Whether the last byte of its body is held back."""
    sent: float = float("inf")
    ended: float = float("inf")
    answered: bool = False


@dataclass
class Flights:
    """Half of the connections ask again and again; half hold the last byte of their body back.

    So some requests are on their way at any moment, however quickly they are answered.
    """

    address: tuple[str, int]
    sample: Sample
    all: list[Flight] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def land(self) -> None:
        """Send what was held back, and nothing new."""
        self.over.set()

    def taken(self, before: float) -> list[Flight]:
        """Those that were on their way at that moment, and had been for a while."""
        return [one for one in self.all if one.sent < before - SURE and one.ended >= before]

    def fly(self, held: bool) -> None:
        """One connection after another."""
        while not self.over.is_set():
            flight = Flight(held)
            self.all.append(flight)
            with suppress(OSError, http.client.HTTPException):
                self.ask(flight)
            flight.ended = time.monotonic()
            if not flight.answered:
                return

    def ask(self, flight: Flight) -> None:
        """One request; one that is held says that it is there by asking to continue."""
        body = self.sample.body
        headers = {
            **self.sample.headers,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **({"Expect": "100-continue"} if flight.held else {}),
        }
        with raw_requests.connected(self.address) as connection:
            connection.sendall(raw_requests.head(self.address, headers))
            if flight.held:
                raw_requests.peeked(connection)
            connection.sendall(body[:-1])
            flight.sent = time.monotonic()
            if flight.held:
                self.over.wait(HELD)
            connection.sendall(body[-1:])
            flight.answered = raw_requests.answer(connection, flight.sent).status > 0


@contextmanager
def flying(address: tuple[str, int], sample: Sample) -> Iterator[Flights]:
    """Requests on their way; they have landed, or are lost, at the end."""
    flights = Flights(address, sample)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            for number in range(CONNECTIONS):
                pool.submit(flights.fly, held=number % 2 == 0)
            settle(flights)
            yield flights
        finally:
            flights.over.set()


def settle(flights: Flights) -> None:
    """Wait until those that are held back have been on their way for a while."""
    end = time.monotonic() + SETTLED
    while time.monotonic() < end:
        ripe = time.monotonic() - SURE
        if sum(one.held and one.sent < ripe < one.ended for one in flights.all) >= CONNECTIONS // 2:
            return
        time.sleep(0.05)
