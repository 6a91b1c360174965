"""A server under load: so many connections that each ask again as soon as they are answered."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from plumbline.client.base import ANY_PICTURE, SCHEMES, SECONDS, Answer, Server, refusal

PERCENTILES = (50, 90, 95, 99)

WARM_UP = 0.1
"""The share of a run's time that passes before it counts; a second at most."""

PAUSE = 0.05
"""Seconds after an error: a server that refuses at once would be asked thousands of times."""

HEADERS = {"Content-Type": ANY_PICTURE, "Accept": "application/json"}


@dataclass(frozen=True)
class Shot:
    """One request: when it was over, how long it took, and what went wrong (empty: nothing)."""

    over: float
    seconds: float
    reason: str


@dataclass(frozen=True)
class Run:
    """How a server did under one load.

    `requests` are right answers, `errors` all others by their code; `latencies` are those of right
    answers in milliseconds, by percentile, empty where there were none. `client_cores` is the CPU
    time that asking took, in cores.
    """

    connections: int
    requests: int
    errors: Mapping[str, int]
    seconds: float
    latencies: Mapping[int, float]
    client_cores: float

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.requests / self.seconds

    def within(self, p95: float) -> bool:
        """Whether all were answered, and 95 of 100 within so many milliseconds."""
        return not self.errors and self.latencies.get(95, p95 + 1) <= p95


def load(server: Server, pictures: Sequence[bytes], connections: int, seconds: float) -> Run:
    """Ask for the pictures in turn, over so many connections, for so long."""
    shots: list[list[Shot]] = [[] for _ in range(connections)]
    stop = threading.Event()
    threads = [
        threading.Thread(target=keep_asking, args=(server, turned(pictures, number), stop, kept))
        for number, kept in enumerate(shots)
    ]
    try:
        for thread in threads:
            thread.start()
        time.sleep(min(1.0, WARM_UP * seconds))
        started, cpu = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        ended, cpu = time.perf_counter(), time.process_time() - cpu
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    counted = [shot for kept in shots for shot in kept if started <= shot.over <= ended]
    return summed_up(counted, connections, ended - started, cpu)


def turned(pictures: Sequence[bytes], number: int) -> Iterator[bytes]:
    """The pictures over and over; each connection begins with another."""
    return islice(cycle(pictures), number % len(pictures), None)


def summed_up(shots: Sequence[Shot], connections: int, seconds: float, cpu: float) -> Run:
    """One run's figures."""
    right = [1000 * shot.seconds for shot in shots if not shot.reason]
    found: list[float] = np.percentile(right, PERCENTILES).tolist() if right else []
    return Run(
        connections,
        len(right),
        Counter(shot.reason for shot in shots if shot.reason),
        seconds,
        dict(zip(PERCENTILES, found, strict=False)),
        cpu / seconds,
    )


def keep_asking(
    server: Server, pictures: Iterator[bytes], stop: threading.Event, kept: list[Shot]
) -> None:
    """One connection's work, until it is stopped; opened anew where the server hangs up."""
    place = server.place
    kind = SCHEMES[place.scheme]
    with closing(kind(place.hostname or "", place.port, timeout=SECONDS)) as connection:
        while not stop.is_set():
            began = time.perf_counter()
            reason = ask_once(connection, place.path, next(pictures))
            over = time.perf_counter()
            kept.append(Shot(over, over - began, reason))
            if reason:
                stop.wait(PAUSE)


def ask_once(connection: http.client.HTTPConnection, path: str, picture: bytes) -> str:
    """What went wrong with one request, or nothing."""
    try:
        connection.request("POST", path, picture, HEADERS)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return "no_answer"
    if response.status == 200:
        return ""
    return refusal(Answer(response.status, "", body)).code
