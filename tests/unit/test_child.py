"""Processes of our own: what they say, how they end, and that none outlives us."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import child

CONTAINER = Path(child.__file__).parents[1]

TALKS = """
import sys
from plumbline.child import received, send
request, messages = received()
print("working on", request["number"])
send(messages, twice=2 * request["number"])
sys.exit(7)
"""

SLEEPS = """
import subprocess, sys, time
from pathlib import Path
from plumbline.child import received
request, messages = received()
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Path(request["pids"]).write_text(f"{__import__('os').getpid()} {other.pid}")
time.sleep(60)
"""

PARENT = """
import sys
from plumbline import child
child.run("sleeps", {"pids": sys.argv[1]}, print)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that processes import from."""
    (tmp_path / "talks.py").write_text(TALKS)
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, CONTAINER))))
    return tmp_path


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("modules")
def test_what_it_sends_is_heard_and_what_it_prints_is_kept() -> None:
    heard: list[child.Message] = []
    ending = child.run("talks", {"number": 21}, heard.append)
    assert heard == [{"twice": 42}]
    assert (ending.status, ending.tail) == (7, "  working on 21")
    assert ending.words == "ended with exit status 7"


def test_its_environment_may_be_another(modules: Path) -> None:
    def environment(folder: Path) -> dict[str, str]:
        assert folder.is_dir()
        return {"PYTHONPATH": f"{modules / 'nowhere'}"}

    ending = child.run("talks", {}, print, environment)
    assert ending.status == 1
    assert "No module named talks" in ending.tail


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_its_time_is_limited_and_that_of_what_it_started(modules: Path) -> None:
    pids = modules / "pids"
    ending = child.run("sleeps", {"pids": str(pids)}, print, seconds=2)
    assert ending.words == "was killed by SIGKILL"
    wait_until(lambda: not any(runs(int(pid)) for pid in pids.read_text().split()))


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_it_ends_with_all_that_it_started_when_its_parent_is_killed(modules: Path) -> None:
    pids = modules / "pids"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(pids)])
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    both = [int(pid) for pid in pids.read_text().split()]
    assert all(runs(pid) for pid in both)

    parent.kill()
    parent.wait()

    wait_until(lambda: not any(runs(pid) for pid in both))
