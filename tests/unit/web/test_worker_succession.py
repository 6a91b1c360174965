"""What the arbiter makes of workers that end while they load their model."""

from __future__ import annotations

import os
import subprocess
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
def test_how_a_worker_ended_is_looked_up_before_it_is_reaped(code: str, said: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", code])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    deaths, arbiter = Deaths(), server(1)
    arbiter.WORKERS[process.pid] = None
    deaths.reap(arbiter, process.wait)
    assert ending(deaths.statuses[process.pid]) == said


def test_memory_is_named_where_it_may_be_the_reason() -> None:
    assert "memory" in ending(-9)
    assert "memory" not in ending(-11)
