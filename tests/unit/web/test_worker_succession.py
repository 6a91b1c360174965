"""What the arbiter makes of workers that end while they load their model."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from plumbline.errors import EngineError
from plumbline.web import worker_succession
from plumbline.web.worker_succession import Deaths, Notes, ending, loading


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """The notes of a server of its own."""
    found = Notes()
    found.begin(tmp_path)
    monkeypatch.setattr(worker_succession, "NOTES", found)
    return found


def server(workers: int) -> SimpleNamespace:
    """What of gunicorn's arbiter is looked at."""
    return SimpleNamespace(num_workers=workers, WORKERS={})


def test_after_three_that_ended_the_next_says_so(notes: Notes) -> None:
    deaths, arbiter = Deaths(), server(2)
    deaths.statuses = {1: -9, 2: -9, 3: -9}
    for pid in (1, 2):
        deaths.while_loading(arbiter, pid)
        with loading():
            assert notes.pids("loading") == {os.getpid()}
    assert notes.pids("loading") == set()
    deaths.while_loading(arbiter, 3)
    with pytest.raises(EngineError, match=r"3 processes .* SIGKILL \(exit status 137\)"), loading():
        pytest.fail("it was loaded once more")
    assert arbiter.num_workers == 2


def test_where_another_serves_it_goes_on_with_those(notes: Notes) -> None:
    notes.leave("ready", 7)
    deaths, arbiter = Deaths(), server(2)
    for pid in (1, 2, 3):
        deaths.while_loading(arbiter, pid)
    assert (arbiter.num_workers, notes.given_up) == (1, "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(5)", "ended itself, with exit status 5"),
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV (exit status 139)"),
    ],
)
def test_how_a_worker_ended_is_known_once_it_is_reaped(code: str, said: str) -> None:
    """Even one that ends only then; those that are no workers' are nobody's business."""
    worker, other = (os.spawnl(os.P_NOWAIT, sys.executable, "python", "-c", code) for _ in "ab")
    deaths, arbiter, wait = Deaths(), server(1), os.waitpid
    arbiter.WORKERS[worker] = None

    def both() -> None:
        for pid in (worker, other):
            os.waitpid(pid, 0)

    deaths.reap(arbiter, both)

    assert ending(deaths.statuses.pop(worker)) == said
    assert deaths.statuses == {}
    assert os.waitpid is wait


def test_memory_is_named_where_it_may_be_the_reason() -> None:
    assert "memory" in ending(-9)
    assert "memory" not in ending(-11)


@pytest.mark.parametrize(
    ("note", "status", "reason"),
    [
        ("hung", 0, "hung"),
        ("leaked", 0, "leaked"),
        ("", 0, ""),
        ("", None, ""),
        ("", -9, "killed"),
        ("", -11, "killed"),
        ("", -6, "hung"),  # so gunicorn ends one that has stopped reporting
        ("", 3, "crashed"),
    ],
)
def test_ends_are_counted_by_their_reasons(
    notes: Notes, note: str, status: int | None, reason: str
) -> None:
    deaths = Deaths()
    if note:
        notes.leave(note, 7)
    if status is not None:
        deaths.statuses[7] = status

    assert deaths.reason_of(7) == reason
    assert deaths.reason_of(8) == ""


def test_counts_of_ends_outlive_the_workers(notes: Notes) -> None:
    notes.count_end("killed")
    notes.count_end("killed")
    notes.count_end("hung")

    assert notes.ends() == {"killed": 2, "hung": 1}
    assert Notes().ends() == {}
