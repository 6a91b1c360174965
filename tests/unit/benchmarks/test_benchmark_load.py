"""What wrk says, and what the kernel says of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import processes
from contenders import HERE
from load import read

SAID = (
    '{"requests": 120, "microseconds": 2000000, "connect": 1, "read": 2, "write": 3, '
    '"timeout": 4, "status": 20, "p50": 1500, "p90": 2500, "p99": 9000, "longest": 9500}\n'
)


def test_answers_are_those_that_went_well() -> None:
    done = read(f"Running 2s test\n{SAID}", connections=16, client_seconds=0.1)
    assert (done.answers, done.rate) == (100, 50.0)
    assert done.errors == 20 + 1 + 2 + 3 + 4


def test_latencies_are_in_milliseconds_and_the_client_in_cores() -> None:
    done = read(SAID, connections=16, client_seconds=0.1)
    assert (done.p50, done.p90, done.p99) == (1.5, 2.5, 9.0)
    assert done.client == pytest.approx(0.05)


def test_a_wrk_that_failed_is_told_with_its_words() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        read("unable to connect to 127.0.0.1", connections=1, client_seconds=0.0)


def test_the_name_of_a_process_may_hold_anything() -> None:
    assert processes.stat_fields("12 (a) b (c) S 1 12 0\n")[:2] == ["S", "1"]


def test_descendants_are_found_at_any_depth() -> None:
    parent_of = {2: 1, 3: 2, 4: 3, 5: 1, 6: 99}
    assert sorted(processes.below(1, parent_of)) == [2, 3, 4, 5]
    assert list(processes.below(4, parent_of)) == []


def test_the_proportional_size_is_in_bytes() -> None:
    text = "00400000-7ffc rollup\nRss:   10 kB\nPss:   7 kB\nPss_Dirty:  3 kB\n"
    assert processes.proportional_in(text) == 7 * 1024
    assert processes.proportional_in("") == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_reaper_leaves_no_daemon_behind() -> None:
    daemon = "import os, time; os.fork() or (os.setsid(), os.fork() or time.sleep(60))"
    command = [sys.executable, str(HERE / "reaper.py"), sys.executable, "-c", daemon]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reaper:
        assert reaper.stdout is not None
        assert float(reaper.stdout.readline()) <= time.monotonic()
        reaper.wait(timeout=30)
    marked = [pid for pid in processes.parents() if daemon in command_of(pid)]
    assert marked == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_tree_is_measured_with_its_children() -> None:
    work = "x = list(range(10**6))\nwhile True: sum(x)"
    with subprocess.Popen([sys.executable, "-c", work]) as child:
        deadline = time.monotonic() + 30
        while processes.cpu_seconds(child.pid) < 0.2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.pid in processes.descendants(os.getpid())
        assert processes.cpu_seconds(child.pid) >= 0.2
        assert processes.proportional(child.pid) > 8 * 10**6
        child.kill()
    assert processes.runs(child.pid) is False


def command_of(pid: int) -> str:
    """How a process was called."""
    try:
        return (processes.PROC / str(pid) / "cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""
