"""`--version`, of every command line that a user meets: the same line of each."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deployment import cli as deploying
from plumbline import __version__, cli

ROOT = Path(__file__).parents[2]

SAID = f"plumbline, version {__version__}\n"

SHELL = sorted((*ROOT.glob("*.sh"), *ROOT.glob("local_test/*.sh"), ROOT / "images/emulated.sh"))

FOLDERS = ("local_test", "model/examples")

IN_TURN = """
import contextlib, os, runpy, sys
for script in sys.argv[1:]:
    sys.path.insert(0, os.path.dirname(script))
    sys.argv = [script, "--version"]
    with contextlib.suppress(SystemExit):
        runpy.run_path(script, run_name="__main__")
        print(script, "went on")
"""
"""Runs scripts in one process: most of them import TensorFlow first."""


def with_a_command_line() -> list[Path]:
    """The Python scripts that are run, and not imported only."""
    found = (file for folder in FOLDERS for file in sorted((ROOT / folder).glob("*.py")))
    return [file for file in found if "__main__" in named(file)]


def named(file: Path) -> set[object]:
    """All constants in a file."""
    tree = ast.parse(file.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def ran(*command: object) -> str:
    """What a command says on standard output; it must not fail."""
    words = [str(word) for word in command]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=quiet)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_of_python_scripts() -> None:
    scripts = with_a_command_line()

    assert {"demo.py", "sagemaker_local.py", "digits.py"} < {each.name for each in scripts}
    assert ran(sys.executable, "-c", IN_TURN, *scripts) == SAID * len(scripts)
    assert ran(sys.executable, ROOT / "deploy.py", "--version") == SAID


@pytest.mark.parametrize("command", ["endpoint", "transform", "training"])
def test_of_the_commands_of_a_script(command: str) -> None:
    assert ran(sys.executable, ROOT / "local_test/sagemaker_local.py", command, "--version") == SAID


@pytest.mark.parametrize("script", SHELL, ids=lambda file: file.name)
def test_of_shell_scripts(script: Path) -> None:
    assert ran(script, "--version") == SAID
    assert "--version" in ran(script, "--help")


def commands(group: click.Group) -> list[str]:
    """The names of a program's commands."""
    return group.list_commands(click.Context(group))


@pytest.mark.parametrize(
    "words",
    [(), *((name,) for name in commands(cli.main))]
    + [("deploy", name) for name in commands(deploying.main)],
    ids=" ".join,
)
def test_of_plumbline_and_its_commands(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(cli.main, [*words, "--version"])

    assert (said.exit_code, said.stdout) == (0, SAID)


@pytest.mark.parametrize("name", commands(deploying.main))
def test_of_the_commands_of_deploy_py(name: str) -> None:
    said = CliRunner().invoke(deploying.main, [name, "--version"])

    assert (said.exit_code, said.stdout) == (0, SAID)
