"""The command line: what it starts, and how it ends when something is wrong."""

from __future__ import annotations

import io
import re
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from plumbline import __version__, cli
from plumbline.client import serve_command
from plumbline.client.serve_command import Address
from plumbline.machine.program_name import COMMANDS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Address, list[str]]]:
    """What would have been served: the folder, the address and the files there."""
    calls: list[tuple[Path, Address, list[str]]] = []

    def run_server(folder: Path, address: Address, _: Path) -> int:
        calls.append((folder, address, sorted(path.name for path in folder.iterdir())))
        return 7

    monkeypatch.setattr(serve_command, "run_server", run_server)
    return calls


@pytest.fixture
def port() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def packed(path: Path, name: str = "saved_model.pb") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    return path


def test_the_version_is_the_packages() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"plumbline, version {__version__}\n")


def test_help_lists_every_command_once_below_what_it_is_for_with_an_example() -> None:
    result = run("--help")
    sections = dict(re.findall(r"^(\w[\w ]*):\n((?:  .*\n)+)", result.stdout, re.MULTILINE))
    listed = [
        name for text in sections.values() for name in re.findall(r"^  (\S+) ", text, re.MULTILINE)
    ]
    assert [*sections] == ["Options", "Start here", "Run", "Examine", "Tune"]
    assert sorted(name for name in listed if name[0] != "-") == sorted(COMMANDS)
    assert "…" not in result.stdout
    assert "..." not in result.stdout.partition("Options:")[2]
    for name in COMMANDS:
        assert re.search(rf"^ +plumbline {name}\b", result.stdout, re.MULTILINE), name


def test_hints_name_the_commands_that_there_are() -> None:
    assert sorted(COMMANDS) == sorted({*cli.LAZY, *cli.main.commands})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["srve"], "There is no command srve. Did you mean serve?"),
        (["xyz"], "There is no command xyz. --help lists those that there are."),
        (["deploy", "rolback"], "There is no command rolback. Did you mean rollback?"),
    ],
)
def test_a_misspelt_command_is_told_what_may_be_meant(typed: list[str], said: str) -> None:
    result = run(*typed)
    assert result.exit_code == 2
    assert said in result.stderr


def test_deploying_is_a_command_of_it_whose_examples_say_so() -> None:
    listed, one = run("deploy", "--help"), run("deploy", "down", "--help")
    assert "plumbline deploy up cats --image URI" in listed.stdout
    assert "plumbline deploy down cats --data --yes" in one.stdout
    assert "python deploy.py" not in listed.stdout + one.stdout
    assert run("deploy", "--version").stdout == f"plumbline, version {__version__}\n"


def test_a_folder_is_served_where_it_is(
    tmp_path: Path, served: list[tuple[Path, Address, list[str]]]
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    result = run("serve", str(tmp_path), "--port", "54321", "--host", "0.0.0.0")
    assert result.exit_code == 7
    assert served == [(tmp_path.resolve(), Address("0.0.0.0", 54321), ["saved_model.pb"])]


def test_a_port_that_is_taken_ends_with_one_sentence(
    tmp_path: Path, port: int, served: list[tuple[Path, Address, list[str]]]
) -> None:
    result = run("serve", str(tmp_path), "--port", str(port))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Port {port} is taken: another program listens there. Choose another: "
        f"plumbline serve {tmp_path} --port {port % 65535 + 1}\n"
    )
    assert served == []


def test_an_address_of_another_machine_ends_with_one_sentence(tmp_path: Path) -> None:
    result = run("serve", str(tmp_path), "--host", "192.0.2.1", "--port", "54321")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Nothing can listen at 192.0.2.1, port 54321: ")


def test_an_archive_is_unpacked_aside_and_taken_away_afterwards(
    tmp_path: Path, served: list[tuple[Path, Address, list[str]]]
) -> None:
    result = run("serve", str(packed(tmp_path / "model.tar.gz")), "--port", "54321")
    [(folder, address, files)] = served
    assert (result.exit_code, files) == (7, ["saved_model.pb"])
    assert address == Address("127.0.0.1", 54321)
    assert folder.exists() is False
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_a_hostile_archive_ends_with_one_sentence(
    name: str, tmp_path: Path, served: list[tuple[Path, Address, list[str]]]
) -> None:
    result = run("serve", str(packed(tmp_path / "model.tar.gz", name)), "--port", "54321")
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


@pytest.mark.parametrize(
    ("number", "said"), [(30, "Read-only file system"), (13, "Permission denied")]
)
def test_a_folder_that_must_not_be_written_to_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def protected(*_: object, **__: object) -> None:
        raise OSError(number, said, "plumbline.toml")

    monkeypatch.setattr("plumbline.cli.unpacked", protected)
    result = run("inspect", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: plumbline.toml: {said}. Go to a folder, or name a file, that you may read and "
        "write; TMPDIR names a folder for temporary files.\n"
    )
