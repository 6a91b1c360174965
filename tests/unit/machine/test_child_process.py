"""Processes of our own: what they say, how they end, and that none outlives us."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.machine import child_process

CONTAINER = Path(child_process.__file__).parents[2]

TALKS = """
import sys
from plumbline.machine.child_process import received, send
request, messages = received()
print("working on", request["number"])
send(messages, twice=2 * request["number"])
sys.exit(7)
"""

SLEEPS = """
import subprocess, sys, time
from pathlib import Path
from plumbline.machine.child_process import received
request, messages = received()
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Path(request["pids"]).write_text(f"{__import__('os').getpid()} {other.pid}")
time.sleep(60)
"""

PARENT = """
import sys
from plumbline.machine import child_process as child
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
    heard: list[child_process.Message] = []
    ending = child_process.run("talks", {"number": 21}, heard.append)
    assert heard == [{"twice": 42}]
    assert (ending.status, ending.tail) == (7, "  working on 21")
    assert ending.words == "ended with exit status 7"


def test_its_environment_may_be_another(modules: Path) -> None:
    def environment(folder: Path) -> dict[str, str]:
        assert folder.is_dir()
        return {"PYTHONPATH": f"{modules / 'nowhere'}"}

    ending = child_process.run("talks", {}, print, environment)
    assert ending.status == 1
    assert "No module named talks" in ending.tail


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_its_time_is_limited_and_that_of_what_it_started(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = modules / "pids"

    class Timer(threading.Timer):
        """Its time begins when both processes are there, however slow the machine."""

        def run(self) -> None:
            wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
            super().run()

    monkeypatch.setattr(threading, "Timer", Timer)
    ending = child_process.run("sleeps", {"pids": str(pids)}, print, seconds=0.05)
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


PARENT_OF_COPY = """
import os, sys
from plumbline.machine import child_process as child
child.FORKED.add("copied")
import copied
copied.known = "from the parent"
heard = {}
with open(os.devnull) as left_open:
    copied.descriptor = left_open.fileno()
    ending = child.run("copied", {"number": 21}, heard.update)
print(heard, ending.status, ending.tail)
"""

COPIED = """
import os, sys
from plumbline.machine.child_process import received, send
known = "nothing"
def main():
    request, messages = received()
    print("working on", request["number"])
    try:
        os.fstat(descriptor)
        inherited = True
    except OSError:
        inherited = False
    parent = os.getppid() == int(os.environ["PARENT"])
    send(messages, known=known, inherited=inherited, parent=parent)
    os._exit(7)
"""


def test_a_copy_knows_what_its_parent_had_imported_and_holds_none_of_its_files(
    modules: Path,
) -> None:
    (modules / "copied.py").write_text(COPIED)
    script = "import os; os.environ['PARENT'] = str(os.getpid())\n" + PARENT_OF_COPY
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == (
        "{'known': 'from the parent', 'inherited': False, 'parent': True} 7   working on 21"
    )
