"""`deploy.py` itself, where Python is too old for all that it imports."""

from __future__ import annotations

import ast
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aws_account import REGION, Deploy

from deployment.commands.up import up as up_command
from deployment.terminal import parsing

SERVER = Path(__file__).parents[2] / "container/plumbline/__init__.py"

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


def called(*arguments: str, cwd: Path = DOOR.parent) -> subprocess.CompletedProcess[str]:
    """`python deploy.py` with these arguments, as it is typed."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_what_it_says_to_type_is_what_was_typed() -> None:
    said = called("deploy.py", "down", "--help").stdout
    assert said.startswith(f"Usage: {sys.executable} deploy.py down ")
    assert f"\n  {sys.executable} deploy.py down cats\n" in said


def test_what_it_says_of_a_missing_option_was_typed_too() -> None:
    said = called("deploy.py", "up", "cats").stderr
    assert f"'--role'. `{sys.executable} deploy.py account` makes one" in " ".join(said.split())


def test_it_tells_the_version_of_the_checkout() -> None:
    [version] = re.findall(r'__version__ = "(.+)"', SERVER.read_text("utf-8"))
    assert called("deploy.py", "--version").stdout == f"plumbline, version {version}\n"


def test_a_misspelt_command_is_told_what_may_be_meant() -> None:
    done = called("deploy.py", "lst")
    assert done.returncode == 2
    assert "There is no command lst. Did you mean list?" in done.stderr


def test_every_option_of_up_is_shown_once_below_what_it_is_for() -> None:
    said = called("deploy.py", "up", "--help").stdout
    titles = re.findall(r"^(\w.*):$", said, re.MULTILINE)
    options = said.partition("What is deployed:")[2]
    shown = re.findall(r"^  (--[a-z0-9-]+)", options, re.MULTILINE)
    assert titles[:3] == ["What is deployed", "What it runs on", "Scaling"]
    assert titles[-1] == "This command"
    taken = [option.opts[0] for option in up_command.params if option.name != "name"]
    assert sorted(shown) == sorted(["--version", "--help", *taken])


def test_a_file_that_must_not_be_read_is_told_in_a_sentence(
    up: Deploy, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    monkeypatch.setattr(parsing, "sha256", refuse)
    ended = up("--region", REGION)

    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"Error: {archive}: Permission denied. Name a file or folder")
