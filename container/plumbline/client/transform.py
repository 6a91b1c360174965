"""`plumbline transform`: a folder of pictures → a line of JSON for each, as a batch transform."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from rich.console import Console

from plumbline.client import throughput_meter
from plumbline.client.base import Answer, Client, Refused, ask, prediction, read_picture
from plumbline.client.files import Found, shown, walk, write_whole
from plumbline.client.transform_ledger import Ledger, opened
from plumbline.errors import CommandError
from plumbline.wire.responses import JSON, PNG

T = TypeVar("T")
R = TypeVar("R")

Answers = Iterator[tuple[Found, Mapping[str, Any]]]
"""Pictures, and what is said of each."""

PICTURES = "pictures"
"""The folder below `out` for drawings."""

KINDS = ("classes", "detections", "segments")
"""Keys of typed predictions, which stand in a line for themselves; all else has one name."""

ITS_OWN = (400, 413, 415, 422, 500)
"""What a picture by itself can bring about; any other status would be that of every picture."""

OF_ALL = ("invalid_instances", "invalid_attribute", "unsupported_content_type")
"""Codes with such a status that are of every picture all the same."""

LATER = (429, 502, 503, 504)
"""Not now: the same picture may be answered in a moment."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts: about a minute in all."""

AHEAD = 4
"""Pictures of each thread that are begun, or wait to be written down in their turn."""


@dataclass(frozen=True)
class Source:
    """Who answers, so many at once; `client` makes whatever costs time, when it is called."""

    identity: str
    client: Callable[[], Client]
    at_once: int


@dataclass(frozen=True)
class Order:
    """What is to be done; `attributes` are the options as custom attributes."""

    folder: Path
    out: Path
    attributes: str = ""
    pictures: bool = False

    def terms(self, source: Source) -> dict[str, Any]:
        """What must be the same for results to belong together."""
        return {
            "folder": str(self.folder.resolve()),
            "model": source.identity,
            "options": self.attributes,
            "pictures": self.pictures,
        }


@dataclass
class Stop:
    """Whether somebody asked for an end, by which signal."""

    event: threading.Event = field(default_factory=threading.Event)
    signal: int = 0

    def __call__(self, number: int, _frame: FrameType | None = None) -> None:
        """Handle a signal; a second one ends the process at once."""
        self.signal = number
        self.event.set()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)
        os.write(2, b"\nFinishing what is in work; once more ends at once.\n")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: files that have a line, of those the failed; `left` have none yet."""

    lines: int
    failed: int
    others: int
    left: int
    signal: int = 0


@dataclass(frozen=True)
class Patient:
    """A client that asks again where it is told to come back later."""

    client: Client
    wait: Callable[[float], bool]
    """Wait so many seconds; true if waiting has no point any more."""

    @property
    def most_bytes(self) -> int:
        """See `Client.most_bytes`."""
        return self.client.most_bytes

    def invoke(self, body: bytes, content_type: str, accept: str, attributes: str) -> Answer:
        """See `Client.invoke`."""
        for pause in PAUSES:
            answer = self.client.invoke(body, content_type, accept, attributes)
            if answer.status not in LATER or self.wait(pause):
                return answer
        return self.client.invoke(body, content_type, accept, attributes)


def transform(order: Order, source: Source, console: Console) -> Outcome:
    """Answer every picture that has no line yet. Raises a `PlumblineError` where that can't go on.

    What has been written stays, whatever happens; the same order goes on from there.
    """
    with opened(order.out, order.terms(source)) as ledger:
        count = census(order, ledger)
        number = answer_rest(order, source, ledger, count, console) if count.left else 0
        return Outcome(ledger.lines, ledger.failed, count.others, count.left, number)


def answer_rest(
    order: Order, source: Source, ledger: Ledger, count: Census, console: Console
) -> int:
    """Answer what has no line; the signal that ended it before its time, or 0."""
    client = source.client()
    todo = (picture for picture in pictures(order) if picture.name not in ledger.done)
    with stopping() as stop:
        work = partial(said_of, order, Patient(client, stop.event.wait))
        answers = in_order(work, todo, source.at_once, stop.event)
        write(answers, ledger, count, console)
    return stop.signal


def write(answers: Answers, ledger: Ledger, count: Census, console: Console) -> None:
    """Write down the answers as they come. Raises `CommandError` where no more can come."""
    done = count.pictures - count.left
    with throughput_meter.counted(console, "Pictures", count.pictures, done) as advance:
        try:
            for picture, said in answers:
                ledger.add(picture.name, said)
                count.left -= 1
                report(console, picture, said)
                advance()
        except CommandError as exc:
            raise CommandError(
                f"{exc.message} {count.left:,} pictures are left; the same command goes on there."
            ) from exc


@dataclass
class Census:
    """Files of a folder: pictures, those of them that are left to do, and others."""

    pictures: int = 0
    left: int = 0
    others: int = 0


def census(order: Order, ledger: Ledger) -> Census:
    """Count the files."""
    count = Census()
    for found in walk(order.folder, order.out.resolve()):
        if found.drawn:
            count.pictures += 1
            count.left += found.name not in ledger.done
        else:
            count.others += 1
    return count


def pictures(order: Order) -> Iterator[Found]:
    """The pictures, sorted by name."""
    return (found for found in walk(order.folder, order.out.resolve()) if found.drawn)


def said_of(order: Order, client: Client, picture: Found) -> Mapping[str, Any]:
    """What stands in the line of a picture, its drawing written before.

    Raises a `CommandError` for what is not the picture's own fault.
    """
    try:
        body = read_picture(picture.path, client.most_bytes)
        predicted = prediction(ask(client, body, JSON, order.attributes))
        if order.pictures:
            drawing = ask(client, body, PNG, order.attributes)
            write_whole(order.out / PICTURES / picture.drawn, drawing.body)
    except Refused as exc:
        if exc.status not in ITS_OWN or exc.code in OF_ALL:
            raise CommandError(f"{shown(picture.name)}: {exc.message}") from exc
        return {"error": {"code": exc.code, "message": exc.message}}
    if isinstance(predicted, dict) and any(kind in predicted for kind in KINDS):
        return predicted
    return {"prediction": predicted}


def report(console: Console, picture: Found, said: Mapping[str, Any]) -> None:
    """Tell of a bad file."""
    if "error" in said:
        line = f"{shown(picture.name)}: {said['error']['message']}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def in_order(
    act: Callable[[T], R], items: Iterator[T], at_once: int, stop: threading.Event
) -> Iterator[tuple[T, R]]:
    """Each item with what `act` makes of it in one of so many threads, in their order.

    Once `stop` is set, no more is begun; what is in work still comes.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(at_once, "plumbline-transform") as pool:
        try:
            for item in items:
                if stop.is_set():
                    break
                waiting.append((item, pool.submit(act, item)))
                if len(waiting) >= AHEAD * at_once:
                    yield taken(waiting)
            while waiting and begun(waiting, stop):
                yield taken(waiting)
        except CommandError:
            if not stop.is_set():
                raise
        finally:
            for _, future in waiting:
                future.cancel()


def begun(waiting: deque[tuple[T, Future[R]]], stop: threading.Event) -> bool:
    """Whether the first is still to come; what was not begun before a stop never is."""
    if stop.is_set():
        for _, future in waiting:
            future.cancel()
    return not waiting[0][1].cancelled()


def taken(waiting: deque[tuple[T, Future[R]]]) -> tuple[T, R]:
    """The first of those who wait, when it is done."""
    item, future = waiting.popleft()
    return item, future.result()


@contextmanager
def stopping() -> Iterator[Stop]:
    """Let Ctrl-C and SIGTERM ask for an end, instead of making one."""
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
