"""What `tests/run.py` says of tests that fail, always or once."""

import os
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[1] / "run.py"

STEADY = "def test_steady():\n    assert 1 == 1\n"
BROKEN = "def test_broken():\n    assert 1 == 2\n"
ONCE = """
from pathlib import Path


def test_once(request):
    seen = Path(request.path.parent, "seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


def ran(folder: Path, tests: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The runner's end on a group that is these tests."""
    group = folder / "unit"
    group.mkdir()
    (group / "test_them.py").write_text(tests)
    command = [sys.executable, str(RUN), "--tests", str(folder), "--processes", "0", "unit"]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    clean.pop("PLUMBLINE_TEST_AGAIN", None)
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        cwd=folder,
        env=clean | environment,
    )


def test_what_passes_alone_is_told_as_unsteady(tmp_path: Path) -> None:
    ended = ran(tmp_path, STEADY + ONCE, PLUMBLINE_TEST_AGAIN="2")
    assert ended.returncode == 0, ended.stdout
    assert "assert not first" in ended.stdout
    assert "unsteady: failed, and passed once more, alone: " in ended.stdout
    assert ended.stdout.endswith("\n2 passed, 0 failed, 0 skipped\n")


def test_what_fails_once_more_stays_failed(tmp_path: Path) -> None:
    ended = ran(tmp_path, ONCE + BROKEN, PLUMBLINE_TEST_AGAIN="2")
    assert ended.returncode == 1
    assert "failed once more, alone: " in ended.stdout
    assert ended.stdout.endswith("\n1 passed, 1 failed, 0 skipped\n")


def test_too_many_failures_are_not_run_again(tmp_path: Path) -> None:
    ended = ran(tmp_path, ONCE + BROKEN, PLUMBLINE_TEST_AGAIN="1")
    assert ended.returncode == 1
    assert "once more" not in ended.stdout
    assert "assert 1 == 2" in ended.stdout
    assert ended.stdout.endswith("\n0 passed, 2 failed, 0 skipped\n")
