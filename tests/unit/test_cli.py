"""The command line: what it starts, and how it ends when something is wrong."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from plumbline import __version__, cli


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int, list[str]]]:
    """What would have been served: the folder, the port and the files there."""
    calls: list[tuple[Path, int, list[str]]] = []

    def run_server(folder: Path, port: int) -> int:
        calls.append((folder, port, sorted(path.name for path in folder.iterdir())))
        return 7

    monkeypatch.setattr(cli, "run_server", run_server)
    return calls


def packed(path: Path, name: str = "saved_model.pb") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    return path


def test_the_version_is_the_packages() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"plumbline, version {__version__}\n")


def test_help_lists_the_commands() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "  serve " in result.stdout
    assert "  settings " in result.stdout


def test_a_folder_is_served_where_it_is(
    tmp_path: Path, served: list[tuple[Path, int, list[str]]]
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    result = run("serve", str(tmp_path), "--port", "9000")
    assert result.exit_code == 7
    assert served == [(tmp_path.resolve(), 9000, ["saved_model.pb"])]


def test_an_archive_is_unpacked_aside_and_taken_away_afterwards(
    tmp_path: Path, served: list[tuple[Path, int, list[str]]]
) -> None:
    result = run("serve", str(packed(tmp_path / "model.tar.gz")))
    [(folder, port, files)] = served
    assert (result.exit_code, port, files) == (7, 8080, ["saved_model.pb"])
    assert folder.exists() is False
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_a_hostile_archive_ends_with_one_sentence(
    name: str, tmp_path: Path, served: list[tuple[Path, int, list[str]]]
) -> None:
    result = run("serve", str(packed(tmp_path / "model.tar.gz", name)))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: The archive holds '{name}', a path outside itself.\n"
    assert served == []


def test_a_model_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    result = run("serve", str(tmp_path / "nothing"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_settings_are_listed_as_they_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_QUEUE", "7")
    result = run("settings")
    assert result.exit_code == 0
    assert "PLUMBLINE_QUEUE = 7\n" in result.stdout


def test_a_setting_that_can_not_be_ends_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLUMBLINE_QUEUE", "many")
    result = run("settings")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: PLUMBLINE_QUEUE=many: it must be a whole number from 0 to 10000.\n"
    )


def test_a_full_temporary_folder_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/tmp/plumbline-x")

    monkeypatch.setattr("plumbline.cli.unpacked", full)
    result = run("inspect", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: /tmp/plumbline-x can't be written: No space left on device. Make room there, or "
        "name another folder for temporary files in TMPDIR.\n"
    )
