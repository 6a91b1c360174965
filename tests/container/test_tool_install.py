"""README's first command, as it is written: the tool on PATH, in an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from requirements.install import uv_variables

ROOT = Path(__file__).parents[2]

[COMMAND] = re.findall(
    r"^    (uv tool install (?:.*\\\n)*.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command has put what it installs."""
    folder = tmp_path_factory.mktemp("tool")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(pip, capture_output=True, text=True, check=True).stdout
    environment = {
        **uv_variables(listed.splitlines(), os.environ),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "UV_PYTHON": sys.executable,
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
    }
    if not shutil.which("uv", path=environment["PATH"]):
        pytest.fail("make venv installs uv, and it is not there.")
    done = subprocess.run(
        ["bash", "-c", COMMAND],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.mark.parametrize(
    "words", [("--version",), ("deploy", "--version"), ("settings", "--markdown")], ids=" ".join
)
def test_it_works_outside_of_the_checkout(
    programs: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    alone = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["plumbline", *words],
        check=False,
        cwd=tmp_path,
        env=alone,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "plumbline" in done.stdout.lower()


def test_it_has_the_tested_versions(programs: Path) -> None:
    python = next((programs.parent / "tools").glob("*/bin/python"))
    asked = "import tensorflow, numpy, PIL; print(tensorflow.__version__, numpy.__version__)"
    here, there = (
        subprocess.run([each, "-c", asked], capture_output=True, text=True, check=True).stdout
        for each in (sys.executable, python)
    )
    assert here == there
