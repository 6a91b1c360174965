"""`make test`'s own program, with tests of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[1] / "run.py"

GOOD = "def test_it():\n    pass\n"

BAD = """
import pytest


@pytest.fixture
def breaks():
    raise OSError("no such thing")


def test_it():
    assert 1 + 1 == 3


def test_the_fixture(breaks):
    pass


@pytest.mark.parametrize("number", [1, 2])
def test_nothing(number):
    pytest.skip("it is Sunday")
"""


ONCE = """
def test_once(request):
    seen = Path(request.path.parent, "seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


def run(tests: Path, *groups: str, again: int = 0) -> subprocess.CompletedProcess[str]:
    """The program, for groups in `tests`."""
    command = [sys.executable, RUN, "--tests", tests, *groups]
    environment = {**os.environ, "PLUMBLINE_TEST_AGAIN": str(again)}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=tests, env=environment
    )


def write(tests: Path, **groups: str) -> Path:
    """The folder, with a file of tests in each group."""
    for name, text in groups.items():
        (tests / name).mkdir()
        (tests / name / f"test_{name}.py").write_text(text)
    return tests


def test_groups_whose_tests_pass(tmp_path: Path) -> None:
    tests = write(tmp_path, unit=GOOD, http=BAD, parity=GOOD)
    ran = run(tests, "parity", "unit", "--processes", "0")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ended = [line.split(" (")[0] for line in ran.stdout.splitlines() if " processes)" in line]
    assert ended == [f"{name:<12}1 passed, 0 failed, 0 skipped" for name in ("unit", "parity")]
    assert ran.stdout.endswith("\n2 passed, 0 failed, 0 skipped\n")
    assert "unit/test_unit.py::test_it" in ran.stdout


def test_what_fails_is_shown_and_what_is_skipped_gives_its_reason_once(tmp_path: Path) -> None:
    ran = run(write(tmp_path, http=BAD), "http", "--processes", "1")
    assert ran.returncode == 1
    assert "assert (1 + 1) == 3" in ran.stdout
    assert "OSError: no such thing" in ran.stdout
    assert "once more" not in ran.stdout
    assert "\n            2 skipped: it is Sunday\n" in ran.stdout
    assert ran.stdout.endswith("\n0 passed, 2 failed, 2 skipped\n")


def test_what_passes_once_more_alone_is_told_as_unsteady(tmp_path: Path) -> None:
    unsteady = f"from pathlib import Path\n{ONCE}\n\n\ndef test_bad():\n    assert 1 + 1 == 3\n"
    ran = run(write(tmp_path, unit=unsteady), "unit", "--processes", "0", again=2)
    assert ran.returncode == 1
    assert "assert not first" in ran.stdout
    assert (
        "unsteady: failed, and passed once more, alone: unit/test_unit.py::test_once" in ran.stdout
    )
    assert "failed once more, alone: unit/test_unit.py::test_bad" in ran.stdout
    assert ran.stdout.endswith("\n1 passed, 1 failed, 0 skipped\n")


def test_groups_without_tests_and_with_files_that_can_not_be_imported_fail(tmp_path: Path) -> None:
    tests = write(tmp_path, unit="", http=GOOD, parity="import nothing_like_it\n")

    without = run(tests, "unit", "http", "--processes", "0")
    assert without.returncode == 1
    assert "unit: there is no test in" in without.stdout
    assert without.stdout.endswith("\n1 passed, 0 failed, 0 skipped\n")

    broken = run(tests, "parity", "--processes", "0")
    assert broken.returncode == 1
    assert "No module named 'nothing_like_it'" in broken.stdout
    assert broken.stdout.endswith("\n0 passed, 1 failed, 0 skipped\n")


def test_a_group_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = run(tmp_path, "units")
    assert ran.returncode == 2
    assert "there is no group units; there are unit, processes, http," in ran.stderr
