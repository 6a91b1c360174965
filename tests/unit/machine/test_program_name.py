"""What the command line is called, by what was typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.machine import program_name
from plumbline.machine.program_name import as_called, installing

ROOT = Path(__file__).parents[3]

CODE = "from plumbline.cli import main; main()"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The script that an installer writes, in a folder that is not on PATH."""
    script = tmp_path / "my tools" / "plumbline"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\n{CODE}\n")
    script.chmod(0o755)
    return script


def usage(*command: str, path: str = "/usr/bin:/bin", cwd: Path = ROOT) -> str:
    """How it says that it is called."""
    variables = {"PATH": path, "PYTHONPATH": str(ROOT / "container")}
    done = subprocess.run(
        [*command, "inspect", "--help"],
        env=variables,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_script_on_the_path_is_called_by_its_name(installed: Path) -> None:
    said = usage("plumbline", path=f"{installed.parent}:/usr/bin:/bin")
    assert said.startswith("Usage: plumbline inspect ")
    assert "\n  plumbline inspect model.tar.gz\n" in said


def test_one_that_is_not_by_what_was_typed(installed: Path) -> None:
    said = usage("my tools/plumbline", cwd=installed.parents[1])
    assert said.startswith("Usage: 'my tools/plumbline' inspect ")
    assert "\n  'my tools/plumbline' inspect model.tar.gz\n" in said


def test_a_module_by_its_python() -> None:
    said = usage(sys.executable, "-m", "plumbline")
    assert f"\n  {sys.executable} -m plumbline inspect model.tar.gz\n" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Then `plumbline pack --code DIR` does it.", "Then `P pack --code DIR` does it."),
        ("python deploy.py up cats", "P deploy up cats"),
        ("plumbline needs it; /opt/plumbline serve", "plumbline needs it; /opt/plumbline serve"),
        ("plumbline packs, docs/plumbline.toml", "plumbline packs, docs/plumbline.toml"),
    ],
)
def test_hints_alone_are_reworded(text: str, said: str) -> None:
    assert as_called(text, "P") == said


@pytest.mark.parametrize(
    ("pip", "wanted"),
    [
        (True, "'/my tools/python' -m pip install docker"),
        (False, "uv pip install --python '/my tools/python' docker"),
    ],
)
def test_a_package_is_installed_where_this_python_looks(
    monkeypatch: pytest.MonkeyPatch, pip: bool, wanted: str
) -> None:
    monkeypatch.setattr(sys, "executable", "/my tools/python")
    monkeypatch.setattr(program_name, "find_spec", lambda name: name if pip else None)

    assert installing("docker") == wanted
