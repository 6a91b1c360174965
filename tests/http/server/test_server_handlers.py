"""Handlers that hang, end their process, leak or ask the server itself: it goes on."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from gunicorn_server import Answer, Server, wait_until
from handler_archives import archive

from process_family import alive

Serve = Callable[..., Server]

MEBIBYTE = 1024 * 1024

ALONE = {"PLUMBLINE_WORKERS": "1"}
FULL = {"PLUMBLINE_SLOTS": "1", "PLUMBLINE_QUEUE": "15"}

WHITE = json.dumps({"instances": np.ones((1, 32, 32, 3)).tolist()}).encode()


@pytest.fixture
def handled(serve, tmp_path: Path) -> Serve:
    """Start a server with a handler of the zoo, and wait until it is ready."""

    def ready(name: str, **settings: str) -> Server:
        root = archive(tmp_path / "model", name)
        server: Server = serve("handled=True", PLUMBLINE_MODEL_DIR=str(root), **ALONE, **settings)
        return server

    return ready


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The model folder with a handler of the zoo, made once."""
    return cache(lambda name: archive(tmp_path_factory.mktemp(name) / "model", name))


@pytest.fixture
def lent(shared, folders: Callable[[str], Path]) -> Serve:
    """A server with a handler of the zoo, for tests that it survives."""
    return lambda name, **settings: shared(
        "handled=True", PLUMBLINE_MODEL_DIR=str(folders(name)), **ALONE, **settings
    )


def tell(server: Server, wanted: str) -> Answer | None:
    """What the dangerous handler does next, and its answer, if there is one."""
    return server.try_to_invoke(wanted.encode())


def pid_of(server: Server) -> int:
    """The process that answers, once one does."""

    def asked() -> Answer | None:
        answer = tell(server, "who")
        return answer if answer and answer.status == 200 else None

    return int(wait_until(asked).body)


@pytest.mark.parametrize(("hanging", "deadline"), [("sleep", "1"), ("spin", "3")])
def test_one_that_hangs_is_cut_off_and_others_are_answered(
    handled, crowd, hanging: str, deadline: str
) -> None:
    server = handled("dangerous", PLUMBLINE_DEADLINE_SECONDS=deadline, PLUMBLINE_SLOTS="2")
    first = pid_of(server)

    answers = [hung.result() for hung in crowd(3, tell, server, hanging)]

    assert [(answer.status, answer.error) for answer in answers] == [
        (503, "deadline_exceeded")
    ] * 3 or all(b"time was up" in answer.body for answer in answers)
    assert all(answer.status == 503 for answer in answers)
    assert pid_of(server) == first, "it was replaced before it had to be"
    assert "inference.py" in server.said(), "the log does not say where it hangs"


def test_a_process_of_hanging_threads_is_replaced_and_every_ping_is_healthy(handled, crowd) -> None:
    server = handled("dangerous", PLUMBLINE_DEADLINE_SECONDS="1")
    first = pid_of(server)

    hung = crowd(4, tell, server, "sleep")

    server.slowest_ping(lambda: len(server.workers()) < 2 or alive(first))
    assert all(future.result().status == 503 for future in hung)
    assert pid_of(server) == server.workers()[-1]
    assert "This process is replaced: 4 threads of its handler hang." in server.said()
    assert len(server.workers()) == 2


@pytest.mark.parametrize("end", ["exit 0", "exit 3", "exit 4", "exit 259", "crash"])
def test_one_that_ends_its_process_does_not_end_the_server(lent, end: str) -> None:
    server = lent("dangerous")
    first = pid_of(server)

    assert tell(server, end) is None

    assert pid_of(server) != first
    assert server.process.poll() is None


def test_one_that_calls_sys_exit_costs_nothing(lent) -> None:
    server = lent("dangerous")
    first = pid_of(server)

    answer = tell(server, "sys.exit")

    assert answer is not None
    assert (answer.status, b"handler called sys.exit" in answer.body) == (500, True)
    assert pid_of(server) == first


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_one_that_leaks_is_replaced_before_its_memory_is_up(serve, tmp_path: Path) -> None:
    root = archive(tmp_path / "model", "dangerous")
    memory = 1024 * MEBIBYTE
    server: Server = serve(f"handled=True, memory={memory}", PLUMBLINE_MODEL_DIR=str(root), **ALONE)
    first, largest = pid_of(server), 0

    while "This process is replaced" not in server.said():
        answer = tell(server, "leak")
        assert answer is not None
        assert answer.status == 200
        assert server.ping().status == 200
        largest = max(largest, resident(first))
        time.sleep(0.1)

    wait_until(lambda: pid_of(server) != first)
    assert memory / 2 < largest < memory
    assert "This process is replaced: its memory has grown from" in server.said()
    assert "was sent SIGKILL" not in server.said()


def resident(pid: int) -> int:
    """Bytes that a process occupies; none, once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (FileNotFoundError, ProcessLookupError):
        return 0


def test_what_one_prints_becomes_lines_of_the_log(lent) -> None:
    server = lent("dangerous")
    pid_of(server)
    before = len(server.said())
    tell(server, "print")

    lines = [json.loads(line) for line in server.said()[before:].splitlines()]
    assert "a line of its own" in [line["message"] for line in lines]


def test_what_it_prints_at_import_is_there_while_it_loops(start, tmp_path: Path) -> None:
    root = archive(tmp_path / "model", "loops_at_import")
    server = start("handled=True", PLUMBLINE_MODEL_DIR=str(root), **ALONE)

    wait_until(lambda: not server.refuses())
    wait_until(lambda: b"code/inference.py is being imported." in server.ping().body)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0


def test_a_handler_asks_the_rest_api_of_its_own_process(lent, crowd) -> None:
    """As many at once as there are slots and places: none waits for itself."""
    server = lent("serving_rest", **FULL)

    answers = [sent.result() for sent in crowd(16, server.invoke, WHITE, "application/json")]

    assert [answer.status for answer in answers] == [200] * 16
    scores = json.loads(answers[0].body)["predictions"][0]
    assert scores[9] == 1.0


def test_what_tensorflow_serving_refuses_reaches_a_handler_that_asks(lent) -> None:
    server = lent("serving_rest", **FULL)

    answer = server.invoke(b"", "application/json")

    assert answer.status == 500
    assert b"document is empty" in answer.body


def test_the_rest_api_of_a_handler_listens_on_loopback_alone(handled) -> None:
    server = handled("serving_context")
    answer = server.invoke(WHITE, "application/json")

    uri = json.loads(answer.body)["rest_uri"]

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1/models/digits:predict", uri)
    assert str(server.port) not in uri


def test_the_rest_api_outside_is_the_models_own(lent) -> None:
    server = lent("serving_rest", **FULL)
    headers = {"Content-Type": "application/json"}

    answer = server.ask("POST", "/v1/models/digits:predict", WHITE, **headers)

    assert json.loads(answer.body)["predictions"][0][9] == 1.0
