"""Where uv is told to look, of what pip's configuration says."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from requirements import install
from requirements.install import LOCK, cause, line_of_uv, uv_variables

ROOT = Path(__file__).parents[2]

LISTED = r"""
:env:.find-links='/opt/mine'
global.cert='/etc/global.pem'
global.extra-index-url='\nfile:///opt/first\nfile:///opt/second'
global.find-links='/opt/wheels /opt/more'
global.index-url='https://user:secret@packages.example/simple'
global.timeout='60'
install.cert='/etc/install.pem'
""".splitlines()
"""As `pip config list` prints it, a value of several lines included."""


def test_uv_looks_where_pip_would() -> None:
    told = uv_variables(LISTED, {})
    assert told["UV_DEFAULT_INDEX"] == "https://user:secret@packages.example/simple"
    assert told["UV_INDEX"] == "file:///opt/first file:///opt/second"
    assert told["UV_FIND_LINKS"] == "/opt/mine"
    assert told["SSL_CERT_FILE"] == "/etc/install.pem"
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_what_uv_has_been_told_already_stays() -> None:
    mine = {"UV_DEFAULT_INDEX": "https://mine.example/simple", "UV_SYSTEM_CERTS": "0"}
    told = uv_variables((line for line in LISTED if ":env:" not in line), mine)
    assert told.items() >= mine.items()
    assert told["UV_FIND_LINKS"] == "/opt/wheels,/opt/more"


def test_uv_comes_by_the_line_of_the_lock() -> None:
    first, *hashes = line_of_uv(LOCK.read_text()).splitlines()
    assert first.startswith("uv==")
    assert hashes
    assert all(line.startswith("    --hash=sha256:") for line in hashes)


UV_OFFLINE = """\
error: Request failed after 3 retries in 4.5s
  cause: Failed to fetch: https://packages.example/pyparsing/
  cause: error sending request for url (https://packages.example/pyparsing/)
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Temporary failure in name resolution"""

PIP_OFFLINE = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object>: \
Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /uv/
ERROR: No matching distribution found for uv==0.13.8"""

UV_FULL = """\
error: Failed to write to the client cache
  cause: failed to write to file `/cache/.tmpRz2GC8`: No space left on device (os error 28)"""

PIP_PROXY = """\
WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError('Cannot connect to \
proxy.', \
OSError('Tunnel connection failed: 407 Proxy Authentication Required'))': /uv/
ERROR: No matching distribution found for uv==0.13.8"""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (UV_OFFLINE, "The package index could not be reached. Is there a network?"),
        (PIP_OFFLINE, "The package index could not be reached. Is there a network?"),
        (UV_FULL, "The disk is full. The environment takes 2.4 GB: make room, or"),
        (PIP_PROXY, "The proxy did not let the packages through. HTTPS_PROXY names it"),
    ],
)
def test_what_installers_say_is_told_in_a_sentence(said: str, sentence: str) -> None:
    first, last = cause(said).splitlines()
    assert first.startswith(sentence)
    assert last == f"The installer said: {said.splitlines()[-1].strip()}"


def test_what_is_not_known_is_shown_whole() -> None:
    assert cause("one\ntwo") == "The installation failed:\none\ntwo"


# -- `make venv` where it can't be ----------------------------------------------------------------

PRETENDED = """\
#!/bin/sh
[ "$1" = -V ] && echo "Python {version}" && exit
pretend="import sys; sys.version_info = {numbers}; exec(sys.argv[1])"
[ "$1" = -c ] && exec python3 -c "$pretend" "$2"
echo "went on with $*"
"""
"""A Python that says to be of another version."""

OTHERS = 65534
"""The user `nobody`: root may write everywhere."""


@pytest.fixture
def checkout() -> Iterator[Path]:
    """What `make venv` reads, in a folder that everybody may read, with a space in its name."""
    with tempfile.TemporaryDirectory(prefix="a checkout ") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "container/plumbline/packing").mkdir(parents=True)
        for file in (
            "Makefile",
            "pyproject.toml",
            "requirements/dev.txt",
            "requirements/install.py",
        ):
            (folder / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(ROOT / file, folder / file)
        yield folder


def pretended(checkout: Path, version: str) -> None:
    """A Python of this version, there; it does nothing with a module or a file."""
    python = checkout / "python"
    numbers = tuple(int(number) for number in version.split("."))
    python.write_text(PRETENDED.format(version=version, numbers=numbers))
    python.chmod(0o755)


def made(checkout: Path, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
    """`make venv` there."""
    command = ["make", "--no-print-directory", "venv", *words]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, cwd=checkout, capture_output=True, text=True, check=False, **more
    )


@pytest.mark.parametrize("version", ["3.10.14", "3.14.0"])
def test_another_python_is_told_which_ones_it_may_be(checkout: Path, version: str) -> None:
    pretended(checkout, version)
    done = made(checkout, "PYTHON=./python")

    first = done.stderr.splitlines()[0]
    assert done.returncode == 2
    assert first.startswith(
        f"./python is Python {version}; Plumbline and TensorFlow need Python 3.11,"
    )
    assert "make PYTHON=python3.12" in first
    assert done.stdout == ""


def test_a_python_that_is_not_there_is_named(checkout: Path) -> None:
    assert made(checkout, "PYTHON=python3.99").stderr.startswith("python3.99 was not found; ")


def test_a_checkout_that_must_not_be_written_to(checkout: Path) -> None:
    pretended(checkout, "3.12.1")
    checkout.chmod(0o555)
    somebody = {"user": OTHERS, "group": OTHERS, "extra_groups": []} if os.geteuid() == 0 else {}
    done = made(checkout, "PYTHON=./python", **somebody)
    checkout.chmod(0o755)

    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert first == (
        f"{checkout} can't be written to, and .venv belongs into it. Clone it where you may write."
    )


def test_a_disk_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(ROOT)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(
        SystemExit, match=r"no room for \.venv: it takes 2\.4 GB, .* has 1\.0 GB left"
    ):
        install.check_room()
