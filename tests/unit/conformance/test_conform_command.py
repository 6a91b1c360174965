"""`plumbline conform` without Docker: what is typed, and what is said where something lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from plumbline import cli
from plumbline.machine.program_name import installing


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["conform", "image", *arguments])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--request", "{file}"], "--request and --type go together"),
        (["--type", "image/png"], "--request and --type go together"),
        (["--expect", "{file}"], "--expect is the answer to a request"),
        (["--only", "C17,Z"], "there is no check Z"),
        (["--env", "NAME"], "NAME is not NAME=VALUE"),
        (["--model", "nowhere"], "does not exist"),
        (["--json", "nowhere/report.json"], "there is no folder nowhere"),
    ],
)
def test_what_does_not_fit_together_is_a_usage_error(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "body").write_bytes(b"1")
    result = run(*(one.format(file=tmp_path / "body") for one in arguments))
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_without_docker_s_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(f"installed here: {installing('docker')}\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["unix://{folder}/nowhere.sock", "nonsense", "ftp://127.0.0.1"])
def test_without_an_engine_it_says_how_to_name_one(host: str, tmp_path: Path) -> None:
    pytest.importorskip("docker")
    nowhere = {"DOCKER_HOST": host.format(folder=tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "plumbline", "conform", "image"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **nowhere},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: No Docker engine answers: ")
    assert "DOCKER_HOST" in done.stderr
    assert "Traceback" not in done.stderr
