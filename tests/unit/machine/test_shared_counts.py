"""What all processes of a server count together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.machine.shared_counts import Counts, counts_of

OTHER = """
import sys
from pathlib import Path
from plumbline.machine.shared_counts import Counts

with Counts(Path(sys.argv[1])).one_more() as count:
    print(count, flush=True)
    sys.stdin.readline()
"""


def another(file: Path) -> subprocess.Popen[str]:
    """Another process of the server, which computes a request until it reads a line."""
    return subprocess.Popen(
        [sys.executable, "-c", OTHER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> int:
    """How many requests that process counted."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_requests_of_one_process_are_counted_while_they_are_computed() -> None:
    counts = Counts()
    with counts.one_more() as first, counts.one_more() as second:
        assert (first, second) == (1, 2)
    with counts.one_more() as again:
        assert again == 1


def test_one_that_fails_is_not_counted_any_more() -> None:
    counts = Counts()
    with pytest.raises(ValueError, match="no"), counts.one_more():
        raise ValueError("no")
    with counts.one_more() as count:
        assert count == 1


def test_requests_of_all_processes_are_counted(tmp_path: Path) -> None:
    ours = Counts(tmp_path / "running")
    with another(tmp_path / "running") as one:
        assert said(one) == 1
        with another(tmp_path / "running") as two:
            assert said(two) == 2
            with ours.one_more() as count:
                assert count == 3
            one.communicate("\n", timeout=60)
            with ours.one_more() as count:
                assert count == 2
            two.communicate("\n", timeout=60)
    with ours.one_more() as count:
        assert count == 1


def test_the_successor_of_a_process_that_was_killed_takes_its_seat(tmp_path: Path) -> None:
    ours = Counts(tmp_path / "running")
    with another(tmp_path / "running") as killed:
        assert said(killed) == 1
        killed.kill()
        killed.communicate(timeout=60)
    with ours.one_more() as count:
        assert count == 2
    with another(tmp_path / "running") as successor:
        assert said(successor) == 1
        with ours.one_more() as count:
            assert count == 2
        successor.communicate("\n", timeout=60)


def test_who_has_fewest_is_seen_by_all(tmp_path: Path) -> None:
    ours = Counts(tmp_path / "connections")
    ours.own = 3
    assert ours.fewest(1) == 3
    assert ours.fewest(2) == 0
    with another(tmp_path / "connections") as busy:
        said(busy)
        assert ours.fewest(2) == 1
        busy.communicate("\n", timeout=60)
    assert ours.fewest(2) == 0


def test_everything_in_a_process_counts_together(tmp_path: Path) -> None:
    assert counts_of("running", tmp_path) is counts_of("running", tmp_path)
    assert counts_of("running", None) is counts_of("running", None)
    assert counts_of("running", tmp_path) is not counts_of("connections", tmp_path)


def test_on_a_full_disk_each_process_counts_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing into memory that a full disk should back would kill the process."""

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    counts = Counts(tmp_path / "counts")
    with counts.one_more() as first:
        assert first == 1
    assert (counts.is_first, counts.fewest(4)) == (True, 0)


def test_what_is_counted_has_its_room_on_the_disk(tmp_path: Path) -> None:
    Counts(tmp_path / "counts")
    status = (tmp_path / "counts").stat()
    assert status.st_blocks * 512 >= status.st_size > 0
