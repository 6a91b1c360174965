"""A corpus of odd and broken picture files: each has its answer, and the server stays as it was."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zoo
from gunicorn_server import Answer, Server
from test_server_memory import MEBIBYTE

from process_family import written

GROWTH = 32 * MEBIBYTE
"""What a worker may keep of thousands of files that ask for gigabytes."""

REFUSED = {400, 413, 415}

LARGE: dict[str, tuple[str, bytes]] = {
    "lines of nothing": ("application/jsonlines", b"{}\n" * (8 * MEBIBYTE)),
    "lines that are broken": ("application/jsonlines", b"{\n" * (12 * MEBIBYTE)),
    "lines of numbers": ("text/csv", b"0\n" * (12 * MEBIBYTE)),
    "a line of numbers": ("text/csv", b"0.25," * (4 * MEBIBYTE) + b"1"),
    "numbers": ("application/json", b'{"instances":[' + b"0.5," * (6 * MEBIBYTE) + b"1]}"),
    "a long text and short ones": (
        "application/json",
        b'{"instances":["' + b"x" * MEBIBYTE + b'"' + b',""' * (7 * MEBIBYTE) + b"]}",
    ),
}
"""Bodies of 25 MB that bring nothing."""

MOST = 512 * MEBIBYTE
"""What one of them may take, while it is read."""


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    """Pictures that must be answered."""
    return dict(zoo.good())


@pytest.fixture(scope="module")
def bad(good: dict[str, bytes]) -> dict[str, bytes]:
    """Files of which some are pictures still."""
    return {**dict(zoo.broken(good)), **dict(zoo.monsters())}


@pytest.fixture
def send() -> Iterator[Callable[[Server, dict[str, bytes], str], dict[str, Answer]]]:
    """Send files, some at a time: `send(server, files, "image/png")`."""
    with ThreadPoolExecutor(4) as pool:

        def each(server: Server, files: dict[str, bytes], accept: str) -> dict[str, Answer]:
            headers = {"Content-Type": "application/x-image", "Accept": accept}
            answers = pool.map(
                lambda body: server.ask("POST", "/invocations", body, **headers), files.values()
            )
            return dict(zip(files, answers, strict=True))

        yield each


def test_odd_pictures_are_drawn(shared, send, good: dict[str, bytes]) -> None:
    answers = send(shared(), good, "image/png")
    assert [name for name, answer in answers.items() if answer.status != 200] == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_large_bodies_of_nothing_take_no_more_memory_than_they_must(serve, picture: bytes) -> None:
    server: Server = serve(PLUMBLINE_WORKERS="1")
    assert server.invoke(picture).status == 200
    (worker,) = server.workers()
    before = most_held(worker)
    for name, (content_type, body) in LARGE.items():
        answer = server.invoke(body, content_type)
        assert answer.status in (400, 413), (name, answer.body)
        assert most_held(worker) - before < MOST, name
    assert server.workers() == [worker], "the worker was lost"


def most_held(worker: int) -> int:
    """The most bytes that the process has occupied so far."""
    status = Path(f"/proc/{worker}/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_odd_pictures_are_answered_and_broken_ones_refused_at_no_cost(
    serve, send, good: dict[str, bytes], bad: dict[str, bytes]
) -> None:
    server: Server = serve(PLUMBLINE_WORKERS="1", PLUMBLINE_SLOTS="2", PLUMBLINE_QUEUE="8")
    corpus = {**good, **bad}
    assert len(corpus) > 500
    first = send(server, corpus, "application/json")
    (worker,) = server.workers()
    before = written(worker)
    assert [name for name in good if first[name].status != 200] == []
    for name, answer in first.items():
        assert answer.status in REFUSED | {200}, (name, answer.body)
        assert answer.status == 200 or len(answer.body) < 2048, name
        assert answer.status == 200 or json.loads(answer.body)["error"]["message"], name
    assert Counter(answer.status for answer in first.values())[400] > 150

    again = send(server, corpus, "application/json")

    growth = written(worker) - before
    assert {name: answer.body for name, answer in again.items()} == {
        name: answer.body for name, answer in first.items()
    }
    assert server.workers() == [worker], "the worker was lost"
    assert growth < GROWTH, f"{before:,} bytes grew by {growth:,}"
    assert server.is_ready()
