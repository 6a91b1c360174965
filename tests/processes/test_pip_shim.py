"""The program that stands for pip in the image, which has only pip's wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHIM = Path(__file__).parents[2] / "container/pip"


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it does with this Python first on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [SHIM, *arguments],
        env={**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_pip_for_the_python_on_the_path() -> None:
    said = ran("--version")
    version = f"(python {sys.version_info.major}.{sys.version_info.minor})"
    assert (said.returncode, said.stdout.startswith("pip ")) == (0, True), said.stderr
    assert said.stdout.strip().endswith(version)


def test_it_sees_what_is_installed_for_that_python() -> None:
    assert "Version: " in ran("show", "pillow").stdout


def test_arguments_and_statuses_are_pips_own(tmp_path: Path) -> None:
    lacking = ran("install", "--no-index", "--target", str(tmp_path / "a b"), "there is none")
    assert lacking.returncode != 0
    assert "there is none" in lacking.stderr
