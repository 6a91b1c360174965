"""`deploy.py` itself, where Python is too old for all that it imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

DOOR = Path(__file__).parents[2] / "deploy.py"


def test_an_old_python_is_told_in_a_sentence() -> None:
    code = "import runpy, sys; sys.version_info = (3, 10, 1); runpy.run_path(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(DOOR)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("deploy.py needs Python 3.11 or newer, and this is 3.10:")
    assert len(done.stderr.splitlines()) == 1


def test_an_old_python_can_read_it() -> None:
    ast.parse(DOOR.read_text("utf-8"), feature_version=(3, 7))
